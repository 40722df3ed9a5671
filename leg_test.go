package transport

import (
	"errors"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/topo"
)

// picky is a way that refuses one ring, and lets go of others when it is asked for the second time.
type picky struct {
	netio.Way
	refuses *ring.Ring
	has     map[*ring.Ring]int // how often it has been asked to let go
}

var errPicky = errors.New("not this one")

func (p *picky) Add(_ string, r *ring.Ring) error {
	if r == p.refuses {
		return errPicky
	}
	p.has[r] = 0
	return nil
}

func (p *picky) Remove(_ string, r *ring.Ring) (bool, error) {
	if p.has[r]++; p.has[r] < 2 {
		return false, nil
	}
	delete(p.has, r)
	return true, nil
}

// A way that refuses one of a leg's rings holds none of them when it says so: the next may read them.
func TestWayThatRefusesOneRingLetsGoOfTheOthers(t *testing.T) {
	var rings [2]*ring.Ring
	for i := range rings {
		var err error
		if rings[i], err = ring.Create(ring.Options{Heap: true}); err != nil {
			t.Fatal(err)
		}
		defer rings[i].Close()
	}
	way := &picky{refuses: rings[1], has: map[*ring.Ring]int{}}
	l := &leg{channel: "trades", rings: rings[:]}
	c, err := newCandidate(l, "tcp", []netio.Way{way}, topo.RoundRobin, topo.Breaker{})
	if err != nil {
		t.Fatal(err)
	}
	l.ways = []*candidate{c}
	if done, err := c.Add(); done || err != nil || len(way.has) != 1 {
		t.Fatalf("first asked: %v, %v, it has %d", done, err, len(way.has))
	}
	l.retry()
	if done, err := c.Add(); done || !errors.Is(err, errPicky) || len(way.has) != 0 || c.holds {
		t.Fatalf("asked again: %v, %v, it has %d", done, err, len(way.has))
	}
	if l.retry(); len(way.has) != 0 {
		t.Error("it takes rings that are not its own to carry")
	}
	way.refuses = nil
	if done, err := c.Add(); !done || err != nil || len(way.has) != 2 || c.err != nil {
		t.Errorf("when it refuses nothing: %v, %v, %v, it has %d", done, err, c.err, len(way.has))
	}
}

// mortal is a way that takes every ring, and lives or does not.
type mortal struct {
	netio.Way
	dead bool
}

func (m *mortal) Add(string, *ring.Ring) error            { return nil }
func (m *mortal) Remove(string, *ring.Ring) (bool, error) { return true, nil }
func (m *mortal) Alive(string) bool                       { return !m.dead }
func (m *mortal) Lag(string) uint64                       { return 0 }

// A way whose parallel links all died under it, and live again, is taken up again; one whose links are dead keeps rings all the same.
func TestWayIsTakenUpAgainOnceItsLinksLive(t *testing.T) {
	r, err := ring.Create(ring.Options{Heap: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	links := [2]mortal{}
	l := &leg{channel: "trades", rings: []*ring.Ring{r}}
	c, err := newCandidate(l, "tcp", []netio.Way{&links[0], &links[1]}, topo.RoundRobin, topo.Breaker{})
	if err != nil {
		t.Fatal(err)
	}
	l.ways = []*candidate{c}
	if done, err := c.Add(); !done || err != nil {
		t.Fatal(done, err)
	}
	links[0].dead, links[1].dead = true, true
	c.even()
	if done, err := c.Remove(); !done || err != nil {
		t.Fatal(done, err)
	}
	c.even()
	links[0].dead, links[1].dead = false, false
	c.even()
	if done, err := c.Add(); !done || err != nil {
		t.Errorf("its links live: %v, %v", done, err)
	}
}
