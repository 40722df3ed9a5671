package bench

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

// The node lanes are what an engine links: a Publisher, and in another process a Subscriber that polls. Where rings lie in memory moves a
// stream's rate by a tenth, far more than observation does; so lanes that are compared share one ring, and the place in it: each slice has a
// subscriber of its own, of a node that is watched or of one that is not, which goes on where the one before stopped.
//
// Of lanes that are watched each side tells and reads all once in tellEvery slices: with slices of 25 ms as often as a node tells by itself.
const (
	nodeChannel = "bench"
	tellEvery   = 10
)

// hall is what the node lanes of one path have in common in a side's process.
type hall struct {
	nodes map[bool]*transport.Node // by whether they are watched
	pub   *transport.Publisher     // of the near side
	want  uint64                   // of the far side: the last number that came
	users int
}

var (
	hallsMu sync.Mutex
	halls   = map[string]*hall{}
)

// enter opens a side's nodes, or finds them open.
func (s *laneSpec) enter(side string) (h *hall, err error) {
	hallsMu.Lock()
	defer hallsMu.Unlock()
	key := side + " " + s.Path
	if h = halls[key]; h == nil {
		h = &hall{nodes: map[bool]*transport.Node{}}
	}
	if h.nodes[s.Watched] == nil {
		h.nodes[s.Watched], err = transport.Open(context.Background(), transport.Config{Dir: filepath.Clean(s.Path), Source: side, Unwatched: !s.Watched,
			Channels: map[string]transport.Channel{nodeChannel: {Capacity: streamCapacity, From: ring.Oldest, Durable: "bench"}}})
	}
	if err == nil && side == "near" && h.pub == nil {
		h.pub, err = h.nodes[s.Watched].Publisher(nodeChannel)
	}
	if err != nil {
		return nil, err
	}
	h.users++
	halls[key] = h
	return h, nil
}

// leaveHall closes the nodes of a side with the last lane.
func (s *laneSpec) leaveHall(side string) (err error) {
	hallsMu.Lock()
	defer hallsMu.Unlock()
	h := halls[side+" "+s.Path]
	if h.users--; h.users > 0 {
		return nil
	}
	delete(halls, side+" "+s.Path)
	for _, n := range h.nodes {
		err = errors.Join(err, n.Close())
	}
	return err
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
	hall *hall
}

func newNodeSource(s laneSpec, seed uint64) (*nodeSource, error) {
	h, err := s.enter("near")
	if err != nil {
		return nil, err
	}
	l := &nodeSource{spec: s, hall: h}
	l.ringWriter, l.batch, l.msg = &ringWriter{writer: h.pub.Writer}, max(s.Batch, 1), newPayload(seed, s.Size)
	copy(l.fixed[:], l.msg)
	if s.Pattern == patternOneWay {
		l.rate = s.Rate
	}
	return l, nil
}

func (l *nodeSource) run(s *slice) (err error) {
	for { // until the slice's subscriber is at the place: a full ring gives the place of one that is away up
		if at, ok := l.writer.Slowest(); ok && at.Alive {
			break
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	end := l.spec.scrape(l.hall.nodes[l.spec.Watched])
	defer func() { err = errors.Join(err, end()) }()
	l.writer.SetStamp(sys.Monotonic()) // of a stream's slice; one at fixed instants has its own
	return l.ringSource.run(s)
}

func (l *nodeSource) close() error { return l.spec.leaveHall("near") }

// nodeSink is the far side.
type nodeSink struct {
	spec  laneSpec
	hall  *hall
	fixed [payloadSize]byte
	timed bool
}

// newNodeSink leaves a place in the ring before anything is published.
func newNodeSink(s laneSpec) (*nodeSink, error) {
	h, err := s.enter("far")
	if err != nil {
		return nil, err
	}
	l := &nodeSink{spec: s, hall: h, timed: s.Pattern == patternOneWay}
	sub, err := h.nodes[s.Watched].Subscriber(nodeChannel)
	if err == nil {
		err = sub.Close()
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *nodeSink) serve(t *turn) (err error) {
	node := l.hall.nodes[l.spec.Watched]
	sub, err := node.Subscriber(nodeChannel)
	if err != nil {
		return err
	}
	end := l.spec.scrape(node)
	defer func() { err = errors.Join(err, end(), sub.Close()) }()
	take := func(f seal.Frame) {
		if l.hall.want++; f.Seq != l.hall.want || len(f.Payload) != payloadSize {
			t.bad++
			return
		}
		l.fixed = *(*[payloadSize]byte)(f.Payload)
		if l.timed {
			recordSince(t, f.Stamp)
		}
	}
	for spins := 1; ; spins++ {
		n, err := sub.Poll(peekAtMost, take)
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

func (l *nodeSink) close() error { return l.spec.leaveHall("far") }
