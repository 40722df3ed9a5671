package kafka

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// Bounds and defaults of Options.
const (
	DefaultWindow = 1024

	mostWindow = 1 << 16
)

// Options say which topic of which brokers a queue is, and what Provision makes of it. The zero value of all but Brokers and Topic is the
// default.
type Options struct {
	// Brokers are host:port of some brokers; the others are learned from them.
	Brokers []string

	// Topic is the topic's name. It has to exist: Provision makes it.
	Topic string

	// Window is how many envelopes a producer has under way at most; 0 means DefaultWindow.
	Window int

	// Linger is how long a record waits for others to share a request with; 0 does not wait: what comes while requests are under way shares
	// the next one anyway.
	Linger time.Duration

	// Transaction, if set, is the transactional id of this queue's producer. Who opens a producer under the same id fences the one before.
	Transaction string

	// TLS asks for TLS; CA, a PEM file of the authorities to believe instead of the system's, does too. Cert and Key are the files of the
	// certificate to show.
	TLS  bool
	CA   string
	Cert string
	Key  string

	// Credentials is a file of one line, user:password, which nobody else may read. It is read again for each connection. Mechanism is
	// "scram-sha-512", the default, "scram-sha-256" or, under TLS, "plain".
	Credentials string
	Mechanism   string

	// Partitions and Replicas are those of a topic that Provision makes; 0 means 1. A source's envelopes are all in one partition.
	Partitions int
	Replicas   int

	// Retention and RetentionBytes are how long a topic keeps records, and how many bytes of each partition; 0 is the broker's default.
	Retention      time.Duration
	RetentionBytes int64

	name     string        // of the user, with password in place of Credentials
	password func() string // nil: there is none
}

// checked returns o with its defaults, or all its faults.
func (o Options) checked() (Options, error) {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if (o.Credentials != "" || o.password != nil) && o.Mechanism == "" {
		o.Mechanism = scramSHA512
	}
	o.TLS = o.TLS || o.CA != "" || o.Cert != ""
	o.Partitions, o.Replicas = max(o.Partitions, 1), max(o.Replicas, 1)
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("kafka: %w: "+format, append([]any{mqadapt.ErrOptions}, args...)...))
		}
	}
	fault(len(o.Brokers) == 0, "no brokers")
	for _, b := range o.Brokers {
		host, port, err := net.SplitHostPort(b)
		fault(err != nil || host == "" || port == "", "broker %q is not host:port", b)
	}
	fault(!topicName(o.Topic), "topic %q: 1 to 249 letters, digits, '.', '_' or '-', and not only dots", o.Topic)
	fault(o.Window < 1 || o.Window > mostWindow, "a window of %d envelopes, not 1 to %d", o.Window, mostWindow)
	fault(o.Linger < 0 || o.Linger > time.Minute, "linger of %s, not 0 to a minute", o.Linger)
	fault((o.Cert == "") != (o.Key == ""), "a certificate takes a key, and a key a certificate")
	switch o.Mechanism {
	case "", scramSHA512, scramSHA256:
	case plainText:
		fault(!o.TLS, "mechanism plain without TLS shows the password to everybody on the way: set CA or TLS, or use scram-sha-512")
	default:
		fault(true, "mechanism %q is none of %s, %s, %s", o.Mechanism, scramSHA512, scramSHA256, plainText)
	}
	fault(o.Mechanism != "" && o.Credentials == "" && o.password == nil, "mechanism %s without a file of credentials", o.Mechanism)
	fault(o.Retention < 0 || o.RetentionBytes < 0, "negative retention")
	return o, errors.Join(faults...)
}

// topicName reports whether a topic can be called so.
func topicName(name string) bool {
	dots := true
	for _, r := range name {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
		if !ok {
			return false
		}
		dots = dots && r == '.'
	}
	return name != "" && len(name) <= 249 && !dots
}
