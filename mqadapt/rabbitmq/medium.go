package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
)

var errNowhere = fmt.Errorf("rabbitmq: %w: no address: say where the broker is with queues: { rabbitmq: { addresses: [HOST:5672] } }", mqadapt.ErrOptions)

// Medium is RabbitMQ as a node of a topology has it: transport.Config.Queues takes one. What is missing is provisioned when a line is opened:
// the exchange and the queues of all groups that the topology names, before anything is published.
type Medium struct {
	// Options of the queues. URL, User, PasswordFile, Name, RoutingKey and Groups are the topology's; of a URL that is set all but host and port
	// are kept, for its virtual host.
	Options Options
}

// Backend is what topologies call it.
func (m Medium) Backend() string { return "rabbitmq" }

// Open joins a node to the brokers of a topology. Each try goes to the next of their addresses.
func (m Medium) Open(site netio.QueueSite) (netio.Queues, error) {
	if len(site.Addresses) == 0 {
		return nil, errNowhere
	}
	tries := new(atomic.Uint64)
	return mqadapt.NewHub(site, mqadapt.Backend{Kind: m.Backend(), Dead: journal.OpenDead, Open: func(l netio.QueueLine) (mqadapt.Queue, error) {
		if l.To != "" && m.Options.Kind == Stream {
			return nil, fmt.Errorf("rabbitmq: channel %q: a stream does not say what a node has not taken, so nothing could follow it on another way: "+
				"Quorum or Classic: %w", l.Channel, errors.ErrUnsupported)
		}
		o := m.options(site, l, site.Addresses[tries.Add(1)%uint64(len(site.Addresses))])
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
	return Provision(ctx, m.options(site, l, site.Addresses[0]), dry)
}

func (m Medium) options(site netio.QueueSite, l netio.QueueLine, addr string) Options {
	o, scheme := m.Options, "amqp://"
	if site.TLS {
		scheme = "amqps://"
	}
	_, rest, _ := strings.Cut(o.URL, "://")
	_, host, _ := strings.Cut(rest, "/")
	o.URL = scheme + addr + "/" + host
	o.User, o.password, o.PasswordFile = site.User, site.Password, ""
	o.Name, o.RoutingKey = mqadapt.NameOf(l), l.RoutingKey
	o.Groups = strings.FieldsFunc(l.Groups+","+l.Group, func(r rune) bool { return r == ',' })
	return o
}
