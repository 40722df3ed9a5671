package route

import (
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/route/topo"
)

// SlowOptions say what a subscriber that does not keep up may cost the others.
type SlowOptions struct {
	// Policy is what happens to it. Block, the zero policy, evicts nobody; with drop readers are lossy and there is nobody to evict.
	Policy topo.Slow

	// Wait is how long a reader may hold the publisher up before it is evicted; 0 is not at all.
	Wait time.Duration

	// Full is the share of the ring's bytes that a reader has to be behind to count as holding the publisher up; 0 is 0.9.
	Full float64
}

// Gate is a gating reader as it stands now.
type Gate struct {
	Name string // the same from one look to the next
	Lag  uint64 // bytes between the publisher's position and the reader's
	// Cursor is up to where it has released. One that releases a whole ring within Wait is not slow, however full the ring is: nothing
	// waits for it longer than that.
	Cursor uint64
	Grace  time.Duration // added to Wait: for a way to a node that evicts its own slow readers first
	// Kept readers are never evicted: a link that must not lose anything, a recorder.
	Kept bool
}

// gateLook is what Slow remembers of a reader.
type gateLook struct {
	name  string
	since time.Duration // since when it has held the publisher up
	from  uint64        // its cursor then
	seen  bool          // in this look
}

// Slow picks the gating reader that may hold up the others no longer. Only a reader that is nearly a whole ring behind holds the
// publisher up; one that is slow and still keeps within the ring costs nobody anything. At most one reader is evicted at a
// look, the one furthest behind, since the others may only seem slow behind a publisher that waited. One goroutine at a time.
type Slow struct {
	o     SlowOptions
	now   time.Duration
	looks []gateLook // of readers that hold the publisher up: at most as many as a ring has

	evicted uint64
	kept    uint64
}

// NewSlow is a policy for the readers of one ring.
func NewSlow(o SlowOptions) (*Slow, error) {
	var faults []error
	if o.Policy > topo.SlowDrop {
		faults = append(faults, fmt.Errorf("route: slow: policy %s: want block, evict or drop", o.Policy))
	}
	if o.Wait < 0 {
		faults = append(faults, errors.New("route: slow: the wait is negative"))
	}
	if o.Full < 0 || o.Full > 1 {
		faults = append(faults, fmt.Errorf("route: slow: full at %g: want a share from 0 to 1", o.Full))
	}
	o.Full = orDefault(o.Full, 0.9)
	return &Slow{o: o}, errors.Join(faults...)
}

// Look is given all gating readers of a ring of that many bytes and says which of them to evict, -1 for none. The caller does so and
// leaves the reader out of the next look.
func (s *Slow) Look(now time.Duration, ring uint64, gates []Gate) (evict int) {
	s.now = max(s.now, now)
	if s.o.Policy != topo.SlowEvict {
		return nobody
	}
	for i := range s.looks {
		s.looks[i].seen = false
	}
	evict = nobody
	for i := range gates {
		g := &gates[i]
		if float64(g.Lag) < s.o.Full*float64(ring) {
			continue
		}
		look := s.remember(g)
		if g.Cursor-look.from >= ring {
			look.since, look.from = s.now, g.Cursor
		}
		switch {
		case s.now-look.since < s.o.Wait+g.Grace:
		case g.Kept:
			s.kept++
		case evict == nobody || g.Lag > gates[evict].Lag:
			evict = i
		}
	}
	s.forget(evict, gates)
	return evict
}

// remember is what was seen of a reader that has held the publisher up without a break.
func (s *Slow) remember(g *Gate) *gateLook {
	for i := range s.looks {
		if s.looks[i].name == g.Name {
			s.looks[i].seen = true
			return &s.looks[i]
		}
	}
	s.looks = append(s.looks, gateLook{g.Name, s.now, g.Cursor, true})
	return &s.looks[len(s.looks)-1]
}

// forget drops readers that keep up again, and the one that is evicted now.
func (s *Slow) forget(evict int, gates []Gate) {
	kept := s.looks[:0]
	for _, l := range s.looks {
		if l.seen && (evict == nobody || gates[evict].Name != l.name) {
			kept = append(kept, l)
		}
	}
	s.looks = kept
	if evict != nobody {
		s.evicted++
		for i := range s.looks { // the publisher moves again: each of the others gets its own time to show that it keeps up
			s.looks[i].since = s.now
		}
	}
}

// Counts is how many readers were evicted, and at how many looks one that is kept held the publisher up for longer than Wait.
func (s *Slow) Counts() (evicted, kept uint64) { return s.evicted, s.kept }
