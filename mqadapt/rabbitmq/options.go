package rabbitmq

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// Kind says what holds a group's envelopes.
type Kind uint8

const (
	// Quorum queues are replicated by Raft: what is accepted outlives the loss of a minority of nodes.
	Quorum Kind = iota
	// Classic queues are of one node, and outlive its restart.
	Classic
	// Stream is a log that all groups read: what they acknowledged stays until Options.MaxBytes or MaxAge lets it go.
	Stream
)

// String returns "quorum", "classic" or "stream".
func (k Kind) String() string { return [...]string{"quorum", "classic", "stream"}[min(k, Stream)] }

// Bounds and defaults of Options.
const (
	DefaultWindow        = 256
	DefaultPrefetch      = 2048
	DefaultPatience      = 10 * time.Second
	DefaultHeartbeat     = 5 * time.Second
	DefaultDeliveryLimit = 100

	mostWindow   = 1 << 14
	mostPrefetch = 1<<16 - 1
	mostName     = 100
	mostFile     = 1 << 20
)

// Options say where the queues of a channel are and what they keep. The zero value of all but URL and Name is the default.
type Options struct {
	// URL is amqp://HOST:PORT/VHOST, or amqps:// for TLS.
	URL string

	// User and PasswordFile are who we are; empty means what the URL says, or guest. The file is its owner's alone (0600) and read at each
	// connect, so that it may change.
	User         string
	PasswordFile string

	// CA says whom an amqps:// URL believes, in place of the system's roots; Cert and Key are what the broker is shown if it asks. PEM files,
	// read at each connect.
	CA, Cert, Key string

	// Name begins the names of all queues: the queue of group G is NAME.G, a stream is NAME.
	Name string

	// Exchange is where envelopes are published; empty means Name. ExchangeKind is direct, topic or fanout; empty means topic. RoutingKey is
	// under which; empty means Name. A group's queue is bound with the same key.
	Exchange, ExchangeKind, RoutingKey string

	// Groups are what Provision makes queues for.
	Groups []string

	// Kind is that of the queues.
	Kind Kind

	// Window is how many envelopes a producer has under way at most, Prefetch how many a consumer has that are not acknowledged; 0 means
	// DefaultWindow and DefaultPrefetch.
	Window, Prefetch int

	// MaxLength and MaxBytes bound each queue; at the bound the broker rejects, which is mqadapt.ErrFull. A stream has MaxBytes and MaxAge
	// only, and drops its oldest. 0: no bound but the broker's disk.
	MaxLength, MaxBytes int64
	MaxAge              time.Duration

	// DeliveryLimit is how often an envelope of a quorum queue is given to a member that ends without acknowledging it, before it becomes a
	// dead letter; 0 means DefaultDeliveryLimit. Dead letters lie in the queue NAME.dead.
	DeliveryLimit int

	// Patience is how long the broker may take to answer, or to read, before its connection is given up; 0 means DefaultPatience. Heartbeat is
	// how often a silent connection says that it lives, in whole seconds; 0 means DefaultHeartbeat.
	Patience, Heartbeat time.Duration

	password func() string // in place of PasswordFile; nil: there is none
}

// checked returns o with its defaults, or all its faults.
func (o Options) checked() (Options, error) {
	o.Exchange, o.RoutingKey = either(o.Exchange, o.Name), either(o.RoutingKey, o.Name)
	o.ExchangeKind = either(o.ExchangeKind, "topic")
	o.Window, o.Prefetch = either(o.Window, DefaultWindow), either(o.Prefetch, DefaultPrefetch)
	o.DeliveryLimit = either(o.DeliveryLimit, DefaultDeliveryLimit)
	o.Patience, o.Heartbeat = either(o.Patience, DefaultPatience), either(o.Heartbeat, DefaultHeartbeat)
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("rabbitmq: %w: "+format, append([]any{mqadapt.ErrOptions}, args...)...))
		}
	}
	u, err := url.Parse(o.URL)
	fault(err != nil || u.Host == "" || u.Scheme != "amqp" && u.Scheme != "amqps", "the URL is not amqp://HOST:PORT/VHOST or amqps://")
	plain := err == nil && u.Scheme == "amqp"
	fault(plain && (o.CA != "" || o.Cert != "" || o.Key != ""), "CA, Cert or Key without TLS: the URL is amqp://, not amqps://")
	fault((o.Cert == "") != (o.Key == ""), "Cert and Key go together")
	fault((o.User == "") != (o.PasswordFile == "" && o.password == nil), "User and PasswordFile go together")
	fault(!named(o.Name), "name %q: 1 to %d letters, digits, '.', '_' or '-'", o.Name, mostName)
	fault(!slices.Contains([]string{"direct", "topic", "fanout"}, o.ExchangeKind), "exchange kind %q: direct, topic or fanout", o.ExchangeKind)
	fault(len(o.Exchange) > 255 || len(o.RoutingKey) > 255, "exchange or routing key longer than 255 bytes")
	for _, g := range o.Groups {
		fault(!named(g) || g == deadGroup, "group %q: 1 to %d letters, digits, '.', '_' or '-', and not %q", g, mostName, deadGroup)
	}
	fault(o.Kind > Stream, "unknown kind %d", o.Kind)
	fault(o.Window < 1 || o.Window > mostWindow, "a window of %d envelopes: 1 to %d", o.Window, mostWindow)
	fault(o.Prefetch < 1 || o.Prefetch > mostPrefetch, "a prefetch of %d envelopes: 1 to %d", o.Prefetch, mostPrefetch)
	fault(o.MaxLength < 0 || o.MaxBytes < 0 || o.MaxAge < 0, "negative bound of a queue")
	fault(o.Kind == Stream && o.MaxLength > 0, "a stream has no MaxLength: MaxBytes or MaxAge")
	fault(o.Kind != Stream && o.MaxAge > 0, "MaxAge is for streams")
	fault(o.MaxAge%time.Second != 0, "MaxAge %s is not in whole seconds", o.MaxAge)
	fault(o.DeliveryLimit < 1, "delivery limit %d", o.DeliveryLimit)
	fault(o.Patience < time.Millisecond, "patience %s", o.Patience)
	fault(o.Heartbeat < time.Second || o.Heartbeat%time.Second != 0, "heartbeat %s: whole seconds, at least one", o.Heartbeat)
	return o, errors.Join(faults...)
}

func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func named(s string) bool {
	return s != "" && len(s) <= mostName && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// deadGroup ends the name of the queue of dead letters.
const deadGroup = "dead"

func (o *Options) dead() string { return o.Name + "." + deadGroup }

// queue is the name of the queue that a group consumes.
func (o *Options) queue(group string) string {
	if o.Kind == Stream {
		return o.Name
	}
	return o.Name + "." + group
}

// place is the name of the queue that keeps a group's offset in a stream.
func (o *Options) place(group string) string { return o.Name + "." + group + ".offset" }

// host names the broker, without secrets.
func (o *Options) host() string {
	if u, err := url.Parse(o.URL); err == nil {
		return u.Host
	}
	return "?"
}
