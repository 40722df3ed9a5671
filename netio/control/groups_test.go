package control

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/seal"
)

// desk is a publisher's node and members of its group, which dial it.
type desk struct {
	t        testing.TB
	ca       *trust.Authority
	town     town
	groups   *Groups
	listener *Listener
	square   *square
	links    map[string]*Link
	diaries  map[string]*diary

	mu  sync.Mutex
	log []string // what happened, in its order: "b key 1", "turn 2", "b turned 2"
	has map[string]map[uint64]string
}

func newDesk(t testing.TB, gather time.Duration) *desk {
	k := &desk{t: t, ca: trusttest.Authority(t), links: map[string]*Link{}, diaries: map[string]*diary{}, has: map[string]map[uint64]string{}}
	o, _ := options(t, k.ca, "a", sends("x"), sends("other"))
	g, err := NewGroups(GroupOptions{Channels: []string{"x", "unused"}, Gather: gather, Turn: func(channel string, n uint64, s seal.Secret) {
		k.note("", channel, n, s, "turn %d", n)
	}})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	k.groups, o.Groups = g, g
	k.listener, k.square = k.town.listenAt(t, "a:1", o)
	return k
}

func (k *desk) note(node, channel string, n uint64, s seal.Secret, format string, args ...any) {
	if channel != "x" {
		k.t.Errorf("a secret of channel %q", channel)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = append(k.log, fmt.Sprintf(format, args...))
	if k.has[node] == nil {
		k.has[node] = map[uint64]string{}
	}
	if s != (seal.Secret{}) {
		k.has[node][n] = print(k.t, s, nil)
	}
}

// enter has a node dial; then is called with what it is told, before the diary is written.
func (k *desk) enter(node string, contract link.Contract, then func(Event)) {
	o, d := options(k.t, k.ca, node, contract)
	d.then = func(e Event) {
		switch e.Kind {
		case Key:
			k.note(node, e.Channel, e.Number, e.Secret, "%s key %d", node, e.Number)
		case Turned:
			k.note(node, e.Channel, e.Number, e.Secret, "%s turned %d", node, e.Number)
		}
		if then != nil {
			then(e)
		}
	}
	k.diaries[node] = d
	k.links[node] = k.town.dialTo(k.t, "a", "a:1", o)
	synctest.Wait()
}

// since is what happened, sorted within each burst of the same kind: members are served in no order.
func (k *desk) since() []string {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.log
	k.log = nil
	return all
}

func (k *desk) expect(want ...string) {
	k.t.Helper()
	got := k.since()
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		k.t.Fatalf("%q happened, want %q", got, want)
	}
}

// TestTheGroupTurnsOnceAllMembersCan and whoever has left has nothing of what is used then.
func TestTheGroupTurnsOnceAllMembersCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, -1)
		for _, n := range []string{"b", "c", "d"} {
			k.enter(n, takes("x"), nil)
		}
		k.enter("e", takes("other"), nil)                                    // of another channel
		k.enter("f", link.Contract{Name: "x", Takes: true, Largest: 1}, nil) // refused: too small
		k.expect("b key 1", "c key 1", "d key 1")

		must(t, k.links["b"].Close())
		got := k.since()
		turn := slices.Index(got, "turn 2")
		for _, n := range []string{"c", "d"} {
			if key, turned := slices.Index(got, n+" key 2"), slices.Index(got, n+" turned 2"); key < 0 || key > turn || turned < turn {
				t.Fatalf("%q", got)
			}
		}
		if len(got) != 5 {
			t.Fatalf("%q", got)
		}
		_, now, err := k.groups.Secret("x")
		k.mu.Lock()
		for _, n := range []string{"", "c", "d"} {
			if k.has[n][2] != print(t, now, err) {
				t.Errorf("%q has another secret than what is used", n)
			}
		}
		if k.has["c"][1] == k.has["c"][2] || k.has["b"][1] != k.has["c"][1] || len(k.has["b"]) != 1 || k.has["e"] != nil || k.has["f"] != nil {
			t.Error("somebody has what it must not have, or the new one is the old one")
		}
		k.mu.Unlock()

		must(t, k.links["e"].Close()) // was no member
		k.expect()
		k.enter("b", takes("x"), nil)
		k.expect("b key 2")
		must(t, k.groups.Renew("x"))
		k.expect("b key 3", "c key 3", "d key 3", "turn 3", "b turned 3", "c turned 3", "d turned 3")
		if s := k.groups.Stats(); s[0] != (GroupStats{Channel: "x", Number: 3, Members: 3}) || s[1].Members != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAMemberThatConfirmsNothingHoldsTheTurnForItsLivenessOnly, though it lives and beats.
func TestAMemberThatConfirmsNothingHoldsTheTurnForItsLivenessOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, -1)
		k.enter("b", takes("x"), nil)
		hang := make(chan struct{})
		k.enter("c", takes("x"), func(e Event) {
			if e.Kind == Key && e.Number == 2 {
				<-hang
			}
		})
		wake := sync.OnceFunc(func() { close(hang) })
		t.Cleanup(wake) // before its link is closed
		k.enter("d", takes("x"), nil)
		k.since()
		must(t, k.links["d"].Close())
		pass(2 * DefaultHeartbeat)
		k.expect("b key 2", "c key 2")
		if s := k.groups.Stats(); s[0].Waiting != 1 || s[0].Number != 1 {
			t.Errorf("%+v", s)
		}
		k.enter("e", takes("x"), nil) // joins meanwhile, and waits
		k.expect()
		pass(DefaultHeartbeat + time.Millisecond)
		// c had secret 2 and is gone, so 3 is used instead, which nobody has who left.
		k.expect("b key 3", "turn 3", "b turned 3", "e key 3")
		wake()
		k.square.closed.Store(true) // c comes back no more
	})
}

// TestMembersThatComeAndGoAreGathered: one renewal for as many as leave within Gather of the last.
func TestMembersThatComeAndGoAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newDesk(t, 0)
		k.enter("b", takes("x"), nil)
		for range 20 {
			k.enter("c", takes("x"), nil)
			must(t, k.links["c"].Close())
			pass(10 * time.Millisecond)
		}
		pass(2 * DefaultGather)
		number, _, err := k.groups.Secret("x")
		if err != nil || number != 3 { // the first at once, the other 19 together
			t.Errorf("%d renewals: %v", number-1, err)
		}
	})
}

func TestGroupsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range [][]string{nil, {""}, {"x", "x"}, {"a name that is longer than forty bytes, which is too long"}} {
		if _, err := NewGroups(GroupOptions{Channels: c}); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: %v", c, err)
		}
	}
	g, err := NewGroups(GroupOptions{Channels: []string{"x"}})
	must(t, err)
	if _, _, err := g.Secret("y"); !errors.Is(err, ErrSecret) {
		t.Error(err)
	}
	if err := g.Renew("y"); !errors.Is(err, ErrSecret) {
		t.Error(err)
	}
	must(t, g.Close())
	if err := g.Renew("x"); err == nil {
		t.Error("renewed after Close")
	}
}
