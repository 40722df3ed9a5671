package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
)

// ErrWeaker: the server does not keep what it accepts as long as Options.Durability asks, or does not say. The text names the setting. The
// operator changes it, or Options.Weaker takes the server as it is.
var ErrWeaker = errors.New("the server keeps less than asked")

var _ mqadapt.Queue = (*Queue)(nil)

// Queue is one stream. The zero Queue is not valid: use Open. It may be used from any goroutine.
type Queue struct {
	options Options
	dialing *redis.Options
	server  server
	scripts scripts

	accepted atomic.Bool // a producer put something into it

	asking sync.Mutex
	asks   *asker // nil until it is needed

	mu     sync.Mutex
	ends   map[interface{ Close() error }]struct{}
	closed bool
}

// Open connects to the server, asks what it is and how it is set, and looks at the key.
func Open(o Options) (*Queue, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	q := &Queue{options: o, ends: map[interface{ Close() error }]struct{}{}}
	if q.dialing, err = o.dialing(); err != nil {
		return nil, err
	}
	c := redis.NewClient(q.dialing)
	q.server, err = ask(c, o)
	if err == nil {
		err = q.look(c)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	q.scripts = newScripts(q.server)
	return q, nil
}

// Durability returns what the server keeps an accepted envelope through, as far as it says.
func (q *Queue) Durability() mqadapt.Durability { return q.server.durability() }

// look wants nothing at the key, or a stream.
func (q *Queue) look(c *redis.Client) error {
	kind, err := c.Type(context.Background(), q.options.Stream).Result()
	if err != nil {
		return q.fault(err)
	}
	if kind != "none" && kind != "stream" {
		return q.fault(fmt.Errorf("the key holds a %s: another name, or DEL it", kind))
	}
	return nil
}

// fault names the stream and the server.
func (q *Queue) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis: stream %s at %s: %w", q.options.Stream, q.dialing.Addr, err)
}

// Producer opens a putting end. There may be several.
func (q *Queue) Producer() (mqadapt.Producer, error) {
	c, err := q.connect()
	if err != nil {
		return nil, err
	}
	p := newProducer(q, c)
	if err := q.adopt(p); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Consumer opens a member of a group, and the group if there is none of that name: it then begins with the oldest entry there is.
func (q *Queue) Consumer(group string) (mqadapt.Consumer, error) {
	if group == "" {
		return nil, fmt.Errorf("redis: %w: a group without a name", mqadapt.ErrOptions)
	}
	c, err := q.connect()
	if err != nil {
		return nil, err
	}
	m := &consumer{q: q, client: c, group: group, token: rand.Text(), lease: "{" + q.options.Stream + "}:" + group + ":lease"}
	if err := m.found(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := q.adopt(m); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// connect makes connections of their own for one end, and sees that the stream can be used through them.
func (q *Queue) connect() (*redis.Client, error) {
	q.mu.Lock()
	closed := q.closed
	q.mu.Unlock()
	if closed {
		return nil, q.fault(mqadapt.ErrClosed)
	}
	c := redis.NewClient(q.dialing)
	if err := q.look(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (q *Queue) adopt(end interface{ Close() error }) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return q.fault(mqadapt.ErrClosed)
	}
	q.ends[end] = struct{}{}
	return nil
}

func (q *Queue) release(end interface{ Close() error }) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.ends, end)
}

// Close closes all producers and consumers.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return q.fault(mqadapt.ErrClosed)
	}
	q.closed = true
	ends := q.ends
	q.ends = nil
	q.mu.Unlock()
	var faults []error
	for end := range ends {
		if err := end.Close(); !errors.Is(err, mqadapt.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
