package tcp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

// Defaults of a pool.
const (
	DefaultMin  = 1
	DefaultMax  = 4
	DefaultIdle = 30 * time.Second
)

// PoolOptions say how many links there are to one node.
type PoolOptions struct {
	// Dial says whom the links connect to. Link.Link is not heeded. Mirrors of a channel are shared by all links.
	Dial DialOptions

	Min  int           // links that are kept connected, whether they carry anything: those that do not stand by; 0 is DefaultMin
	Max  int           // links at most, at most link.MaxLinks; 0 is DefaultMax, or Min if that is more
	Idle time.Duration // how long a link beyond Min may carry nothing before it is closed; 0 is DefaultIdle
}

// Pool is several links to one node. Each ring goes to the link that carries the fewest, and to a new one while there may be more: rings are
// striped over links, and each source keeps its order. What a link carries whose connection is lost goes to one that has one, at the cursor
// that was confirmed. It is a worker: Do runs all its links. Do belongs to one goroutine; everything else may be called from any. The zero
// Pool is not valid: use NewPool.
type Pool struct {
	mu      sync.Mutex
	options PoolOptions
	links   []*member // by number; nil where there is none
	mirrors map[string]*netio.Mirrors
	clock   clock
	lookAt  time.Duration
	moves   uint64
	closed  bool
}

// member is a link with what it carries.
type member struct {
	*Link
	rings []carried
	alive bool          // it was at the last look
	since time.Duration // when it began to carry nothing
}

// NewPool opens Min links.
func NewPool(o PoolOptions) (*Pool, error) {
	o.Min = orDefault(o.Min, DefaultMin)
	o.Max = orDefault(o.Max, max(DefaultMax, o.Min))
	o.Idle = orDefault(o.Idle, DefaultIdle)
	if o.Min < 1 || o.Max < o.Min || o.Max > link.MaxLinks || o.Idle < 0 {
		return nil, fmt.Errorf("%w: pool to %q: %d to %d links, idle for %s: 1 to %d, in order", ErrOptions, o.Dial.Link.Peer, o.Min, o.Max, o.Idle, link.MaxLinks)
	}
	p := &Pool{options: o, links: make([]*member, o.Max), clock: newClock(), mirrors: map[string]*netio.Mirrors{}}
	p.options.Dial.Link.Channels = slices.Clone(o.Dial.Link.Channels)
	for i := range p.options.Dial.Link.Channels {
		c := &p.options.Dial.Link.Channels[i]
		if c.Takes && c.Inbox.Shared == nil {
			m, err := netio.NewMirrors(c.Inbox)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%w: channel %q: %w", ErrOptions, c.Name, err), p.Close())
			}
			p.mirrors[c.Name], c.Inbox = m, netio.InboxOptions{Shared: m, Capacity: c.Inbox.Capacity}
		}
	}
	for i := range o.Min {
		if err := p.open(i); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

func (p *Pool) open(number int) error {
	o := p.options.Dial
	o.Link.Link = number
	l, err := Dial(o)
	if err != nil {
		return err
	}
	l.clock = p.clock
	p.links[number] = &member{Link: l, since: p.clock.now}
	return nil
}

// SetNow lends the time of a cycle, see numa.Clocked.
func (p *Pool) SetNow(now time.Time) {
	p.clock.lend(now)
	for _, m := range p.links {
		if m != nil {
			m.SetNow(now)
		}
	}
}

// Do runs every link once, and looks every so often at who is alive. It returns how many frames the links carried and took.
func (p *Pool) Do() (frames int, err error) {
	if !p.mu.TryLock() {
		return 0, nil
	}
	defer p.mu.Unlock()
	if p.closed {
		return 0, fmt.Errorf("tcp: pool to %q: %w", p.options.Dial.Link.Peer, net.ErrClosed)
	}
	for _, m := range p.links {
		if m == nil {
			continue
		}
		n, err := m.Do()
		if err != nil {
			return frames, err
		}
		frames += n
	}
	if now := p.clock.read(); now >= p.lookAt {
		p.lookAt = now + time.Millisecond
		return frames, p.look(now)
	}
	return frames, nil
}

// look moves what lost its connection, and closes what was idle for too long.
func (p *Pool) look(now time.Duration) error {
	for _, m := range p.links {
		if m != nil {
			m.alive = m.Alive()
		}
	}
	for i, m := range p.links {
		switch {
		case m == nil:
		case len(m.rings) > 0 && !m.alive:
			if to := p.fewest(func(o *member) bool { return o.alive }); to != nil {
				if err := p.move(m, to); err != nil {
					return err
				}
				m.since = now
			}
		case len(m.rings) > 0:
			m.since = now
		case i >= p.options.Min && now-m.since > p.options.Idle:
			p.links[i] = nil
			if err := m.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// move gives all that one link carries to another.
func (p *Pool) move(from, to *member) error {
	for len(from.rings) > 0 {
		c := from.rings[0]
		from.rings = from.rings[1:]
		if had, err := from.Remove(c.channel, c.ring); err != nil && !errors.Is(err, ring.ErrClosed) {
			return err
		} else if !had {
			continue
		}
		if err := to.Add(c.channel, c.ring); err != nil {
			return err
		}
		to.rings = append(to.rings, c)
		p.moves++
	}
	return nil
}

// fewest returns the link that carries the fewest rings of those that are good.
func (p *Pool) fewest(good func(*member) bool) (best *member) {
	for _, m := range p.links {
		if m != nil && good(m) && (best == nil || len(m.rings) < len(best.rings)) {
			best = m
		}
	}
	return best
}

// Add has a ring carried by the link that carries the fewest.
func (p *Pool) Add(channel string, r *ring.Ring) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("tcp: pool to %q: channel %q: %w", p.options.Dial.Link.Peer, channel, ring.ErrClosed)
	}
	to := p.fewest(func(*member) bool { return true })
	if free := slices.Index(p.links, nil); len(to.rings) > 0 && free >= 0 {
		if err := p.open(free); err != nil {
			return err
		}
		to = p.links[free]
	}
	if err := to.Add(channel, r); err != nil {
		return err
	}
	to.rings = append(to.rings, carried{channel, r})
	return nil
}

// Remove has a ring carried no more; see Link.Remove.
func (p *Pool) Remove(channel string, r *ring.Ring) (had bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.links {
		if m == nil {
			continue
		}
		if i := slices.Index(m.rings, carried{channel, r}); i >= 0 {
			m.rings = slices.Delete(m.rings, i, i+1)
			return m.Remove(channel, r)
		}
	}
	return false, nil
}

// Channel returns what carries rings in one channel; a transport.Carrier.
func (p *Pool) Channel(name string) Channel { return Channel{p, name} }

// Links returns the links there are, and how many rings each carries.
func (p *Pool) Links() (links []*Link, rings []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.links {
		if m != nil {
			links, rings = append(links, m.Link), append(rings, len(m.rings))
		}
	}
	return links, rings
}

// Moves returns how many rings went from one link to another.
func (p *Pool) Moves() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.moves
}

// Drained reports whether everything that was committed is confirmed.
func (p *Pool) Drained() bool {
	links, _ := p.Links()
	return !slices.ContainsFunc(links, func(l *Link) bool { return !l.Drained() })
}

// Close closes all links. Their places in the rings stay for their successors.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	var faults []error
	for i, m := range p.links {
		if m != nil {
			faults = append(faults, m.Close())
			p.links[i] = nil
		}
	}
	for name, m := range p.mirrors {
		faults = append(faults, m.Close())
		delete(p.mirrors, name)
	}
	return errors.Join(faults...)
}

// String names the pool in errors.
func (p *Pool) String() string { return fmt.Sprintf("tcp pool to %q", p.options.Dial.Link.Peer) }
