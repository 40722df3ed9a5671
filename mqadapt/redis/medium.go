package redis

import (
	"fmt"
	"sync/atomic"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
)

// Medium is Redis as a node of a topology has it: transport.Config.Queues takes one. A channel's stream is called as its queue; nothing has to be
// provisioned.
type Medium struct {
	// Options of the streams. URL, User, PasswordFile, Stream and Durability are the topology's.
	Options Options

	// Database is the number of the database.
	Database int
}

// Backend is what topologies call it.
func (m Medium) Backend() string { return "redis" }

// Open joins a node to the servers of a topology. Each try goes to the next of their addresses.
func (m Medium) Open(site netio.QueueSite) (netio.Queues, error) {
	if len(site.Addresses) == 0 {
		return nil, fmt.Errorf("redis: %w: no address: say where the server is with queues: { redis: { addresses: [HOST:6379] } }", mqadapt.ErrOptions)
	}
	tries := new(atomic.Uint64)
	return mqadapt.NewHub(site, mqadapt.Backend{Kind: m.Backend(), Dead: journal.OpenDead, Open: func(l netio.QueueLine) (mqadapt.Queue, error) {
		o, scheme := m.Options, "redis"
		if site.TLS {
			scheme = "rediss"
		}
		o.URL = fmt.Sprintf("%s://%s/%d", scheme, site.Addresses[tries.Add(1)%uint64(len(site.Addresses))], m.Database)
		o.User, o.password, o.PasswordFile = site.User, site.Password, ""
		o.Stream = mqadapt.NameOf(l)
		if l.Durability == "memory" {
			o.Durability = mqadapt.Memory
		}
		q, err := Open(o)
		if err != nil {
			return nil, err // not a nil *Queue in an interface
		}
		return q, nil
	}}), nil
}
