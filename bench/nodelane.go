package bench

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

// The node lanes are what an engine links: a Publisher, and in another process a Subscriber that polls. Of those that are watched each side
// tells and reads all once in tellEvery slices: with slices of 25 ms as often as a node tells by itself.
const (
	nodeChannel = "bench"
	tellEvery   = 10
)

func openBenchNode(s laneSpec, source string) (*transport.Node, error) {
	return transport.Open(context.Background(), transport.Config{Dir: filepath.Clean(s.Path), Source: source, Unwatched: !s.Watched,
		Channels: map[string]transport.Channel{nodeChannel: {Capacity: streamCapacity, From: ring.Oldest}}})
}

// scrape tells and reads once, while a slice of a lane that is watched lasts, if its turn has come. What it returns waits for the end of that.
func (s *laneSpec) scrape(n *transport.Node) (end func() error) {
	if s.slices++; !s.Watched || s.slices%tellEvery != 0 {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		time.Sleep(2 * warmUp) // within what is measured
		n.Tell(context.Background())
		_, err := watch.ReadDir(n.Dir())
		done <- err
	}()
	return func() error { return <-done }
}

// post makes the stats file of a side of a lane over UDP, nil of one that is not watched.
func (s laneSpec) post(side string) (*watch.Board, error) {
	if !s.Watched {
		return nil, nil
	}
	return watch.Post(filepath.Clean(s.Path), "", side)
}

// tells is scrape for a side that has no node.
func (s *laneSpec) tells(say func(b *watch.Board)) (end func()) {
	b := s.board
	if s.slices++; b == nil || s.slices%tellEvery != 0 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(2 * warmUp)
		b.Round(time.Now(), func() bool {
			say(b)
			return true
		})
	}()
	return func() { <-done }
}

// nodeSource is the near side: it publishes batches, or one message at a time at fixed instants.
type nodeSource struct {
	ringSource
	spec laneSpec
	node *transport.Node
	pub  *transport.Publisher
}

func newNodeSource(s laneSpec, seed uint64) (*nodeSource, error) {
	n, err := openBenchNode(s, "near")
	if err != nil {
		return nil, err
	}
	p, err := n.Publisher(nodeChannel)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	l := &nodeSource{spec: s, node: n, pub: p}
	l.ringWriter, l.batch, l.msg = &ringWriter{writer: p.Writer}, max(s.Batch, 1), newPayload(seed, s.Size)
	copy(l.fixed[:], l.msg)
	if s.Pattern == patternOneWay {
		l.rate = s.Rate
	}
	return l, nil
}

func (l *nodeSource) run(s *slice) (err error) {
	end := l.spec.scrape(l.node)
	defer func() { err = errors.Join(err, end()) }()
	l.writer.SetStamp(sys.Monotonic()) // of a stream's slice; one at fixed instants has its own
	return l.ringSource.run(s)
}

func (l *nodeSource) close() error { return l.node.Close() }

// nodeSink is the far side.
type nodeSink struct {
	spec  laneSpec
	node  *transport.Node
	sub   *transport.Subscriber
	want  uint64
	fixed [payloadSize]byte
	timed bool
}

func newNodeSink(s laneSpec) (*nodeSink, error) {
	n, err := openBenchNode(s, "far")
	if err != nil {
		return nil, err
	}
	sub, err := n.Subscriber(nodeChannel)
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return &nodeSink{spec: s, node: n, sub: sub, timed: s.Pattern == patternOneWay}, nil
}

func (l *nodeSink) serve(t *turn) (err error) {
	end := l.spec.scrape(l.node)
	defer func() { err = errors.Join(err, end()) }()
	take := func(f seal.Frame) {
		if l.want++; f.Seq != l.want || len(f.Payload) != payloadSize {
			t.bad++
			return
		}
		l.fixed = *(*[payloadSize]byte)(f.Payload)
		if l.timed {
			recordSince(t, f.Stamp)
		}
	}
	for spins := 1; ; spins++ {
		n, err := l.sub.Poll(peekAtMost, take)
		if err != nil {
			return err
		}
		if t.messages += uint64(n); n > 0 {
			continue
		}
		if spins%64 == 0 && t.over() {
			return nil
		}
		sys.Pause()
	}
}

func (l *nodeSink) close() error { return l.node.Close() }
