package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

// Names of the two channels, and of the three processes unless they are called otherwise.
const (
	TradesChannel  = "trades"
	SignalsChannel = "signals"
	FeedName       = "feed"
	StrategyName   = "strategy"
	SinkName       = "sink"
)

const (
	// ringCapacity holds some four seconds of trades at the default rate.
	ringCapacity = 8 << 20

	// How soon a loop looks again whom nobody wakes: a strategy that waits for room, a feed that waits for the next
	// instant. The kernel adds some 50 µs (timer slack, prctl(2)).
	strategyNap = time.Millisecond
	feedNap     = 50 * time.Microsecond

	// drainFor bounds how long a process that is told to end goes on taking what is there.
	drainFor = 10 * time.Second

	lookEvery = 100 * time.Millisecond
	tellEvery = time.Second
)

// socketIdle is for loops with a socket, which nobody wakes. At the default rate they would never come to the end of their spins,
// and where the three processes have two cores the sink would wait for one.
var socketIdle = numa.Idle{Spins: -1, Yields: -1, Nap: feedNap}

// Options say where a process works, as whom, and who is told how it goes.
type Options struct {
	Dir  string         // the rings' and books' directory
	Name string         // of this process among those that share Dir
	Tell func(Progress) // called once a second from another goroutine, and once at the end; nil: nobody

	File, Actor, At string // a topology file, who the process is in it, and on which node; empty: there is none
}

// config is the stage's place in the channels. A topology says how large rings are.
func (o *Options) config(channels map[string]transport.Channel) transport.Config {
	if o.File != "" {
		for name, c := range channels {
			c.Capacity = 0
			channels[name] = c
		}
	}
	return transport.Config{Dir: o.Dir, Source: o.Name, Channels: channels, File: o.File, Actor: o.Actor, At: o.At}
}

// FeedOptions are a feed's.
type FeedOptions struct {
	Options
	Pace  Pace
	Seed  uint64 // which trade of the capture message 1 carries
	Count uint64 // messages to send; 0 is no end
	To    Far    // where the trades are sent; zero: to who shares Dir

	TraceEvery int // one of so many messages begins a trace; 0: none
}

// StrategyOptions are a strategy's.
type StrategyOptions struct {
	Options
	Listen Far // where trades arrive; zero: from who shares Dir
}

// Progress is how far a process came in this life.
type Progress struct {
	Name    string
	Written uint64 // messages into its own ring
	Counts         // of what it received; Sent is what its numbers say was sent to it
	Waits   uint64 // how often its own ring was full
	Latency *bench.Latency
}

// stage is what the three processes share: a book, a node, a loop.
type stage struct {
	Options
	book *book
	base page
	node *transport.Node
}

// String is a line for people.
func (p Progress) String() string {
	line := p.Name
	if p.Written > 0 {
		line += fmt.Sprintf("  sent %d", p.Written)
	}
	if p.Delivered+p.Gaps+p.Corrupt > 0 {
		line += fmt.Sprintf("  delivered %d  gaps %d  repeated %d  reordered %d  corrupt %d", p.Delivered, p.Gaps, p.Repeated, p.Reordered, p.Corrupt)
	}
	if p.Waits > 0 {
		line += fmt.Sprintf("  ring full %d times", p.Waits)
	}
	if l := p.Latency; l != nil {
		c := l.Cells()
		line += fmt.Sprintf("  p50 %s  p99 %s  max %s", c[0], c[2], c[5])
	}
	return line
}

func openStage(ctx context.Context, o Options, channels map[string]transport.Channel) (*stage, error) {
	n, err := transport.Open(ctx, o.config(channels))
	if err != nil {
		return nil, err
	}
	o.Dir = n.Dir()
	b, err := openBook(o.Dir, o.Name)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &stage{o, b, b.read(), n}, nil
}

func (s *stage) close() error { return errors.Join(s.node.Close(), s.book.close()) }

// remedy adds to an error about a ring what to do.
func (s *stage) remedy(err error) error {
	for _, bad := range []error{ring.ErrCorrupt, ring.ErrSize, ring.ErrVersion, ring.ErrForeign} {
		if errors.Is(err, bad) {
			return fmt.Errorf("%w: remove %s and start again", err, s.Dir)
		}
	}
	return err
}

// errAsked is why a loop ends that was asked to.
var errAsked = errors.New("demo: asked to end")

// run carries w until ctx ends, and then, if it can drain, until nothing is left to take.
func (s *stage) run(ctx context.Context, w numa.Worker, idle numa.Idle, sub *transport.Subscriber, drain func()) error {
	life, fail := context.WithCancelCause(context.WithoutCancel(ctx))
	defer fail(nil)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(stop, sub, fail) })
	defer func() { close(stop); watching.Wait() }()

	working, end := context.WithCancelCause(life)
	defer end(nil)
	defer context.AfterFunc(ctx, func() { end(errAsked) })()
	s.book.begin()
	loop := numa.Loop{Name: s.Name, Idle: idle}
	err := loop.Run(working, w)
	if errors.Is(err, errAsked) && drain != nil {
		drain()
		limit, cancel := context.WithTimeoutCause(life, drainFor, fmt.Errorf("demo: %s did not drain within %s", s.Name, drainFor))
		defer cancel()
		err = loop.Run(limit, w)
	}
	if errors.Is(err, errAsked) || errors.Is(err, errDone) {
		return nil
	}
	return s.remedy(err)
}

// watch tells how it goes and ends the loop when a ring of the channel cannot be read: seen twice, it is no passing state.
func (s *stage) watch(stop <-chan struct{}, sub *transport.Subscriber, fail context.CancelCauseFunc) {
	look, tell := time.NewTicker(lookEvery), time.NewTicker(tellEvery)
	defer look.Stop()
	defer tell.Stop()
	bad := 0
	for {
		select {
		case <-stop:
			return
		case <-tell.C:
			s.tell()
		case <-look.C:
			if sub == nil || sub.Err() == nil {
				bad = 0
			} else if bad++; bad == 2 {
				fail(sub.Err())
				return
			}
		}
	}
}

func (s *stage) tell() {
	if s.Tell != nil {
		s.Tell(s.progress())
	}
}

func (s *stage) progress() Progress {
	now := s.book.read()
	p := Progress{Name: s.Name, Counts: now.accounts[0].since(&s.base.accounts[0]), Waits: now.waits - s.base.waits,
		Latency: now.accounts[0].latency(&s.base.accounts[0])}
	from := now.output.first
	if now.output.source == s.base.output.source {
		from = s.base.output.next
	}
	p.Written = now.output.next - from
	return p
}

// finish closes the stage and returns how far it came.
func (s *stage) finish(err error) (Progress, error) {
	p := s.progress()
	if s.Tell != nil {
		s.Tell(p)
	}
	return p, errors.Join(err, s.close())
}

// Feed publishes trades until ctx ends or Count are sent, and, where they travel, until all are confirmed.
func Feed(ctx context.Context, o FeedOptions) (Progress, error) {
	if err := o.Pace.check(); err != nil {
		return Progress{}, err
	}
	s, err := openStage(ctx, o.Options, map[string]transport.Channel{TradesChannel: {Capacity: ringCapacity, TraceEvery: o.TraceEvery}})
	if err != nil {
		return Progress{}, err
	}
	return s.finish(s.remedy(s.feed(ctx, o)))
}

func (s *stage) feed(ctx context.Context, o FeedOptions) (err error) {
	var out *sending
	if o.To.Addr.IsValid() {
		if out, err = s.sends(o.To); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.close()) }()
	}
	pub, err := s.node.Publisher(TradesChannel)
	if err != nil {
		return err
	}
	f, err := newFeed(o, s.book, pub)
	if err != nil {
		return err
	}
	if out == nil {
		return s.run(ctx, f, numa.Idle{Nap: feedNap}, nil, nil)
	}
	out.feed = f
	return s.run(ctx, out, socketIdle, nil, out.drain)
}

// Strategy answers trades with signals until ctx ends, and then answers what is there.
func Strategy(ctx context.Context, o StrategyOptions) (Progress, error) {
	s, err := openStage(ctx, o.Options, map[string]transport.Channel{
		TradesChannel:  {Capacity: ringCapacity, Durable: o.Name, From: ring.Oldest},
		SignalsChannel: {Capacity: ringCapacity},
	})
	if err != nil {
		return Progress{}, err
	}
	return s.finish(s.remedy(s.strategy(ctx, o.Listen)))
}

func (s *stage) strategy(ctx context.Context, at Far) (err error) {
	sub, err := s.node.Subscriber(TradesChannel)
	if err != nil {
		return err
	}
	pub, err := s.node.Publisher(SignalsChannel)
	if err != nil {
		return err
	}
	w := newStrategy(s.book, sub, pub)
	if err := s.recover(ctx, w); err != nil {
		return err
	}
	if !at.Addr.IsValid() {
		return s.run(ctx, w, numa.Idle{Nap: strategyNap}, sub, w.drain)
	}
	in, err := s.receives(at, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	return s.run(ctx, in, socketIdle, sub, w.drain)
}

// recover lets w read back what it said last in a former life, through a node that is there for nothing else.
func (s *stage) recover(ctx context.Context, w *strategy) error {
	back, err := transport.Open(ctx, transport.Config{Dir: s.Dir, Source: s.Name, Channels: map[string]transport.Channel{
		SignalsChannel: {Mode: ring.Lossy, From: ring.Oldest}}}) // whatever a topology says: an actor does not subscribe to what it says itself
	if err != nil {
		return err
	}
	own, err := back.Subscriber(SignalsChannel)
	if err == nil {
		err = w.recover(own)
	}
	return errors.Join(err, back.Close())
}

// Sink checks and counts signals until ctx ends, and then those that are there.
func Sink(ctx context.Context, o Options) (Progress, error) {
	s, err := openStage(ctx, o, map[string]transport.Channel{SignalsChannel: {Durable: o.Name, From: ring.Oldest}})
	if err != nil {
		return Progress{}, err
	}
	return s.finish(s.remedy(s.sink(ctx)))
}

func (s *stage) sink(ctx context.Context) error {
	sub, err := s.node.Subscriber(SignalsChannel)
	if err != nil {
		return err
	}
	w := newSink(s.book, sub)
	return s.run(ctx, w, numa.Idle{}, sub, func() { w.draining = true })
}
