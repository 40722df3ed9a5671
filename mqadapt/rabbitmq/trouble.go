package rabbitmq

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// What a broker can answer beside what package mqadapt names. Callers compare with errors.Is.
var (
	// ErrAccess: the broker does not know us by this name and password, or does not let us do this. Correct the credentials or permissions.
	ErrAccess = errors.New("access refused")

	// ErrMissing: an exchange or a queue is not there. Provision makes it.
	ErrMissing = errors.New("not provisioned")

	// ErrDiffers: a queue or an exchange of this name exists, and is another. The text names the argument. Delete it, or choose another name.
	ErrDiffers = errors.New("exists with other arguments")

	// ErrVersion: what answers is no RabbitMQ, or one that is too old for this kind of queue.
	ErrVersion = errors.New("broker of another kind or version")

	// ErrUnroutable: no queue is bound to the exchange under this key, so nobody would have had the envelope. It is tried again. Provision
	// makes queues and bindings.
	ErrUnroutable = errors.New("no queue takes it")

	// ErrLimit: the broker takes no message as large as one that was put. The queue knows the limit from then on, and refuses what is larger.
	ErrLimit = errors.New("larger than the broker takes")

	// ErrLink: the connection ended. What had no outcome is unknown; open another producer or consumer.
	ErrLink = errors.New("connection ended")
)

// explain names the broker, what was asked, and what its answer means.
func (o *Options) explain(what string, err error) error {
	var e *amqp.Error
	kind := ErrLink
	if errors.As(err, &e) {
		switch {
		case e.Code == amqp.AccessRefused || e.Code == amqp.NotAllowed:
			kind = ErrAccess
		case e.Code == amqp.NotFound:
			kind = ErrMissing
		case e.Code == amqp.PreconditionFailed && limitIn(e.Reason) > 0:
			kind = ErrLimit
		case e.Code == amqp.PreconditionFailed || e.Code == amqp.ResourceLocked:
			kind = ErrDiffers
		}
	}
	return fmt.Errorf("rabbitmq: %s at %s: %w: %w", what, o.host(), kind, err)
}

var limitText = regexp.MustCompile(`larger than (?:configured )?max size (\d+)`)

// limitIn finds the largest message in a broker's complaint about one; 0: it is no such complaint.
func limitIn(reason string) int64 {
	m := limitText.FindStringSubmatch(reason)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// speaks says why a broker with these properties cannot have queues of a kind.
func (o *Options) speaks(p amqp.Table) error {
	product, _ := p["product"].(string)
	version, _ := p["version"].(string)
	least := 8
	if o.Kind == Stream {
		least = 9
	}
	major, minor, ok := versionOf(version)
	switch {
	case product != "RabbitMQ":
		return fmt.Errorf("rabbitmq: %s: %w: it is %q", o.host(), ErrVersion, product)
	case !ok:
		return fmt.Errorf("rabbitmq: %s: %w: its version is %q", o.host(), ErrVersion, version)
	case major < 3 || major == 3 && minor < least:
		return fmt.Errorf("rabbitmq: %s: %w: RabbitMQ %s: %s queues need 3.%d or later", o.host(), ErrVersion, version, o.Kind, least)
	}
	return nil
}

func versionOf(s string) (major, minor int, ok bool) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, e1 := strconv.Atoi(parts[0])
	minor, e2 := strconv.Atoi(parts[1])
	return major, minor, e1 == nil && e2 == nil
}
