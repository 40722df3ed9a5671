package transport

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
)

const (
	// lookEvery is how often a node looks for rings that other processes made.
	lookEvery = 20 * time.Millisecond

	// maxPublishers bounds how many rings of one source in one channel are tried for one without an owner.
	maxPublishers = 4096
)

// Node is this process's place in the channels. Its methods may be called from any goroutine. The zero Node is not
// valid: use Open.
type Node struct {
	config Config
	cancel context.CancelFunc
	done   sync.WaitGroup // the goroutine that looks for rings

	mu       sync.Mutex
	closed   bool
	local    map[string][]*ring.Ring // publishers' rings of channels within this process
	mirrors  map[string][]*ring.Ring // and the mirrors a receiver keeps there
	carriers map[string][]*carried
	pubs     []*Publisher
	subs     []*Subscriber

	layout atomic.Pointer[layout] // nil without a topology
	fabric *fabric                // nil where another process joins the node to others
	ours   *os.File               // says so

	observer *observer // nil: nothing is told of this process

	slowest slowest
	spans   *spans.Log // nil: rings within the process
}

// Open opens a node. When ctx ends the node stops looking for new publishers; Close ends it.
func Open(ctx context.Context, c Config) (*Node, error) {
	var l *layout
	if c.File != "" {
		var err error
		if l, err = readLayout(&c); err != nil {
			return nil, err
		}
		l.apply(&c)
	}
	c, err := c.check()
	if err != nil {
		return nil, err
	}
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("transport: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	n := &Node{config: c, cancel: cancel, local: map[string][]*ring.Ring{}, mirrors: map[string][]*ring.Ring{},
		carriers: map[string][]*carried{}}
	if c.Dir != "" {
		n.spans = spans.NewLog(c.Dir, c.process())
	}
	n.layout.Store(l)
	n.done.Go(func() { n.look(ctx) })
	if l != nil {
		n.done.Go(func() { n.release(ctx) })
	}
	if len(c.Media) > 0 || len(c.Queues) > 0 {
		if err := n.join(ctx, l); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	} else {
		n.watch(n.processName())
	}
	if n.observer != nil {
		n.done.Go(func() { n.observer.observe(ctx) })
	}
	return n, nil
}

// Dir is where the rings are; empty: within this process.
func (n *Node) Dir() string { return n.config.Dir }

// join opens what joins this node to others. One process of a node does.
func (n *Node) join(ctx context.Context, l *layout) (err error) {
	path := filepath.Join(n.config.Dir, ".fabric")
	if n.ours, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("transport: %w", err)
	}
	if alone, err := sys.LockByte(n.ours, 0); err != nil || !alone {
		return errors.Join(fmt.Errorf("transport: another process joins node %q of %s to others", l.at, n.config.Dir), err)
	}
	n.watch(watch.NodeProcess)
	n.fabric, err = openFabric(ctx, n, l)
	return err
}

// Publisher opens the writing end of a channel: a ring of its own, new or left by a dead publisher of this Source.
func (n *Node) Publisher(channel string) (*Publisher, error) {
	if err := nameFault("channel", channel); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	l := n.layout.Load()
	if err := l.publishes(channel); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("transport: node: %w", net.ErrClosed)
	}
	r, w, err := n.ringOf(channel)
	if err != nil {
		return nil, fmt.Errorf("transport: channel %q: %w", channel, err)
	}
	every := n.config.Channels[channel].TraceEvery
	p := &Publisher{Writer: w, ring: r, channel: channel, source: r.Info().Instance, shared: n.config.Dir != "", spans: n.spans, every: every, due: math.MaxUint64}
	if every > 0 {
		p.due = p.Seq() + uint64(every) - 1
	}
	if err := errors.Join(l.hold(channel, r, false), n.carry(channel, r)); err != nil {
		return nil, errors.Join(fmt.Errorf("transport: channel %q: carry: %w", channel, err), p.Close())
	}
	if l != nil {
		n.slowest.watch(channel, r)
	}
	n.pubs = append(slices.DeleteFunc(n.pubs, func(p *Publisher) bool { return p.closed.Load() }), p)
	n.tell(channel)
	return p, nil
}

// tell hands the channel's subscribers what they have not got yet.
func (n *Node) tell(channel string) {
	for _, s := range n.subs {
		if s.channel == channel {
			_ = n.refresh(s) // Subscriber.Err has it
		}
	}
}

// ringOf finds or makes a ring of this source that nobody writes.
func (n *Node) ringOf(channel string) (*ring.Ring, *ring.Writer, error) {
	c := n.config.Channels[channel]
	o := ring.Options{Capacity: c.Capacity, HugePages: c.HugePages}
	if n.config.Dir == "" {
		for _, r := range n.local[channel] {
			if w, err := r.Writer(); !errors.Is(err, ring.ErrOwned) {
				return r, w, err
			}
		}
		r, err := ring.Create(o)
		if err != nil {
			return nil, nil, err
		}
		n.local[channel] = append(n.local[channel], r)
		w, err := r.Writer()
		return r, w, err
	}
	for i := range maxPublishers {
		o.Path = filepath.Join(n.config.Dir, channel, fmt.Sprintf("%s.%d%s", n.config.Source, i, ringSuffix))
		r, err := ring.Open(o)
		if err != nil {
			return nil, nil, err
		}
		w, err := r.Writer()
		if err == nil {
			return r, w, nil
		}
		if err := r.Close(); err != nil {
			return nil, nil, err
		}
		if !errors.Is(err, ring.ErrOwned) {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("%w: all %d rings of source %q", ring.ErrOwned, maxPublishers, n.config.Source)
}

// Subscriber opens the reading end of a channel: a cursor on the ring of each of its publishers, now and to come.
func (n *Node) Subscriber(channel string) (*Subscriber, error) {
	if err := nameFault("channel", channel); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := n.layout.Load().subscribes(channel); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("transport: node: %w", net.ErrClosed)
	}
	s := newSubscriber(channel, n.config.Channels[channel])
	s.observed(n.observer, channel)
	s.at.spans = n.spans
	if err := n.refresh(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.opened()
	n.subs = append(n.subs, s)
	return s, nil
}

// look keeps the subscribers' lists of rings up to date.
func (n *Node) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.mu.Lock()
		n.subs = slices.DeleteFunc(n.subs, func(s *Subscriber) bool {
			gone := s.isClosed()
			if gone {
				n.observer.closed(s)
			}
			return gone
		})
		for _, s := range n.subs {
			_ = n.refresh(s) // Subscriber.Err has it
		}
		n.mu.Unlock()
	}
}

// refresh hands s the rings of its channel that it has not got yet.
func (n *Node) refresh(s *Subscriber) error {
	if n.config.Dir == "" {
		n.mirrors[s.channel] = slices.DeleteFunc(n.mirrors[s.channel], over)
		return errors.Join(s.addLocal(n.local[s.channel], false), s.addLocal(n.mirrors[s.channel], true))
	}
	return s.addNamed(filepath.Join(n.config.Dir, s.channel))
}

// Drain waits until every gating subscriber has released everything this node's publishers committed, or ctx ends.
func (n *Node) Drain(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		behind, err := n.behind()
		if err != nil || behind == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("transport: drain: %s: %w", behind, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// behind returns a gating reader that has not released everything, nil when there is none.
func (n *Node) behind() (fmt.Stringer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pubs {
		all, err := p.ring.Readers()
		if err != nil && !errors.Is(err, ring.ErrClosed) {
			return nil, err
		}
		for _, r := range all {
			if r.Gating && r.Alive && r.Lag > 0 {
				return r, nil
			}
		}
	}
	return nil, nil
}

// Close closes the node with its publishers and subscribers. The rings stay for whoever else uses them and for the next
// life of this Source. Nobody may be using the publishers and subscribers any more.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return fmt.Errorf("transport: node: %w", net.ErrClosed)
	}
	n.closed = true
	n.mu.Unlock()
	last, spoken := context.WithTimeout(context.Background(), lastWords)
	n.Tell(last)
	spoken()
	n.cancel()
	n.done.Wait()
	var faults []error
	if n.fabric != nil {
		n.fabric.done.Wait()
		faults = append(faults, n.fabric.close())
	}
	if n.ours != nil {
		faults = append(faults, n.ours.Close())
	}
	for _, p := range n.pubs {
		faults = append(faults, ignoreClosed(p.Close()))
	}
	for _, s := range n.subs {
		faults = append(faults, ignoreClosed(s.Close()))
	}
	for _, rings := range n.local {
		for _, r := range rings {
			faults = append(faults, ignoreClosed(r.Close()))
		}
	}
	faults = append(faults, n.observer.close())
	return errors.Join(append(faults, n.spans.Close())...)
}

// Guard runs fn. If a ring's file is cut short under it, Guard returns an error that is ring.ErrCorrupt and names the
// file, where the fault would end the process otherwise.
func Guard(fn func() error) error { return sys.Guard(fn) }

// ignoreClosed: what the caller closed already is no fault of Close.
func ignoreClosed(err error) error {
	if errors.Is(err, ring.ErrClosed) {
		return nil
	}
	return err
}
