package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
)

var errNowhere = fmt.Errorf("kafka: %w: no address: say where the brokers are with queues: { kafka: { addresses: [HOST:9092] } }", mqadapt.ErrOptions)

// Medium is Kafka as a node of a topology has it: transport.Config.Queues takes one. A channel's topic is called as its queue, and made when it
// is missing.
type Medium struct {
	// Options of the topics. Brokers, Topic, TLS and who we are are the topology's.
	Options Options
}

// Backend is what topologies call it.
func (m Medium) Backend() string { return "kafka" }

// Open joins a node to the brokers of a topology.
func (m Medium) Open(site netio.QueueSite) (netio.Queues, error) {
	if len(site.Addresses) == 0 {
		return nil, errNowhere
	}
	return mqadapt.NewHub(site, mqadapt.Backend{Kind: m.Backend(), Dead: journal.OpenDead, Open: func(l netio.QueueLine) (mqadapt.Queue, error) {
		if l.To != "" && m.Options.Transaction != "" {
			return nil, fmt.Errorf("kafka: channel %q: a topic of transactions does not say what a node has not taken, so nothing could follow it on another way: "+
				"leave Transaction out: %w", l.Channel, errors.ErrUnsupported)
		}
		o := m.options(site, l)
		if _, err := Provision(context.Background(), o, false); err != nil {
			return nil, err
		}
		q, err := Open(o)
		if err != nil {
			return nil, err // not a nil *Queue in an interface
		}
		return q, nil
	}}), nil
}

// Provision makes what a line needs.
func (m Medium) Provision(ctx context.Context, site netio.QueueSite, l netio.QueueLine, dry bool) (steps []string, err error) {
	if len(site.Addresses) == 0 {
		return nil, errNowhere
	}
	return Provision(ctx, m.options(site, l), dry)
}

func (m Medium) options(site netio.QueueSite, l netio.QueueLine) Options {
	o := m.Options
	o.Brokers, o.Topic, o.TLS = site.Addresses, mqadapt.NameOf(l), o.TLS || site.TLS
	if site.Password != nil {
		o.name, o.password, o.Credentials = site.User, site.Password, ""
	}
	return o
}

var _ mqadapt.Backlogged = (*Queue)(nil)

// backlogWait bounds the question for a backlog.
const backlogWait = 5 * time.Second

// Backlog returns how many envelopes a group has not acknowledged. A topic of transactions does not say: what ends one counts, too.
func (q *Queue) Backlog(group string) (envelopes uint64, err error) {
	if q.options.Transaction != "" {
		return 0, fmt.Errorf("kafka: topic %s: a topic of transactions does not say what a group has acknowledged: %w", q.options.Topic, errors.ErrUnsupported)
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogWait)
	defer cancel()
	return q.Lag(ctx, group)
}
