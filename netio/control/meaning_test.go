package control

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// TestEachPeerIsToldWhatConcernsIt: a channel that comes from one peer and goes to another is agreed on with both, and what is said to one anew
// leaves the other's connection alone.
func TestEachPeerIsToldWhatConcernsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		town, a := &town{squares: map[string]*square{}}, trusttest.Authority(t)
		middle, _ := options(t, a, "middle")
		listener, _ := town.listenAt(t, "middle:1", middle)
		must(t, listener.UpdateFor("left", []link.Contract{takes("x")}))
		must(t, listener.UpdateFor("right", []link.Contract{sends("x")}))
		lo, ld := options(t, a, "left", sends("x"))
		ro, rd := options(t, a, "right", takes("x"))
		left, right := town.dialTo(t, "middle", "middle:1", lo), town.dialTo(t, "middle", "middle:1", ro)
		pass(time.Second)
		for _, l := range []*Link{left, right} {
			if c := l.Channels(); !slices.Equal(c, []string{"x"}) {
				t.Errorf("%v: agreed on %q", l, c)
			}
		}
		if told := append(ld.of(Refused), rd.of(Refused)...); len(told) > 0 {
			t.Errorf("%+v", told)
		}
		must(t, listener.UpdateFor("right", nil))
		pass(time.Second)
		if c := right.Channels(); len(c) != 0 {
			t.Errorf("right and middle still agree on %q", c)
		}
		if l, r := left.Stats().Connects, right.Stats().Connects; l != 1 || r != 2 {
			t.Errorf("left connected %d times, right %d", l, r)
		}
		for _, peer := range []string{"", "middle"} {
			if err := listener.UpdateFor(peer, nil); !errors.Is(err, ErrOptions) {
				t.Errorf("contracts for %q: %v", peer, err)
			}
		}
	})
}

// TestContractsThatChangeWhileNodesGreetAreSaidAnew: an update that finds no connection, because one is coming about, is not forgotten.
func TestContractsThatChangeWhileNodesGreetAreSaidAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), nil)
		more := both("x", "y")
		for _, side := range []struct {
			link   *Link
			update func([]link.Contract) error
		}{
			{p.at, func(c []link.Contract) error { return p.listener.UpdateFor("b", c) }},
			{p.link, p.link.Update},
		} {
			<-side.link.entry // what is greeted waits
			must(t, p.square.last().Close())
			pass(time.Second)
			must(t, side.update(more))
			side.link.entry <- struct{}{}
			pass(time.Second)
		}
		if !slices.Equal(p.link.Channels(), []string{"x", "y"}) || !slices.Equal(p.at.Channels(), []string{"x", "y"}) {
			t.Errorf("agreed on %q and %q", p.link.Channels(), p.at.Channels())
		}
	})
}
