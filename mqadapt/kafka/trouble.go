package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
)

// explain puts an error of the client into words that say what to do.
func (o *Options) explain(what string, err error) error {
	say := func(text string) error {
		return fmt.Errorf("kafka: brokers %s: %s: %s: %w", strings.Join(o.Brokers, ","), what, text, err)
	}
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		first     *kgo.ErrFirstReadEOF
	)
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.IllegalSaslState):
		return say("the broker does not believe the user: look at " + o.whence())
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return say("the broker does not take " + o.Mechanism + ": set another mechanism")
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid):
		return say("the broker's certificate is not believed: look at CA and at the names in Brokers")
	case errors.As(err, &first) && !o.proves() && strings.Contains(err.Error(), "SASL"):
		return say("the broker hung up: it may want credentials")
	case errors.As(err, &record), errors.As(err, &first) && o.TLS:
		return say("the broker does not speak TLS there: take another port, or no TLS")
	case strings.Contains(err.Error(), "remote error: tls"):
		return say("the broker does not believe the certificate: look at Cert and Key")
	case errors.As(err, &first) && !o.proves():
		return say("the broker hung up: it may want TLS or credentials there")
	case errors.Is(err, io.EOF) && o.proves():
		return say("the broker hung up: it does not believe the user, perhaps: look at " + o.whence())
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID), strings.Contains(err.Error(), "missing from broker"):
		return say("the topic does not exist (any more): provision it")
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return say("the user may not do this: the broker's access rules have to allow it")
	case errors.Is(err, kerr.MessageTooLarge):
		return say("the topic takes less than it did: raise its max.message.bytes")
	case o.Transaction != "" && (errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)):
		return fmt.Errorf("kafka: topic %s: transaction id %s: %w: %w", o.Topic, o.Transaction, mqadapt.ErrFenced, err)
	case errors.Is(err, context.DeadlineExceeded) && o.TLS:
		return say("no answer: it may not speak TLS there")
	case errors.Is(err, context.DeadlineExceeded):
		return say("no answer")
	}
	return fmt.Errorf("kafka: brokers %s: %s: %w", strings.Join(o.Brokers, ","), what, err)
}

// watcher remembers what the client keeps to itself, as it tries again.
type watcher struct{ c *counts }

var (
	_ kgo.HookBrokerConnect = watcher{}
	_ kgo.HookBrokerE2E     = watcher{}
)

// OnBrokerConnect is told of each connection.
func (w watcher) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	w.saw(err)
}

// OnBrokerE2E is told of each request.
func (w watcher) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, e kgo.BrokerE2E) { w.saw(e.Err()) }

func (w watcher) saw(err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	if err == nil {
		w.c.trouble.Store(nil)
		return
	}
	err = fmt.Errorf("kafka: %w", err)
	w.c.trouble.Store(&err)
}
