package udp

import (
	"errors"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// reading reads a mirror of one source and checks the order.
type reading struct {
	*testing.T
	in  *ring.Reader
	due uint64
}

func newReading(t *testing.T, mirrors *netio.Mirrors, source uint64) *reading {
	t.Helper()
	box, err := netio.NewInbox(netio.InboxOptions{Shared: mirrors})
	if err != nil {
		t.Fatal(err)
	}
	m, err := box.Open(source, 1)
	if err != nil {
		t.Fatal(err)
	}
	m.Leave()
	in, err := m.Ring.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), box.Close()); err != nil {
			t.Error(err)
		}
	})
	return &reading{t, in, 1}
}

// upTo reports whether number n is there, and everything before it.
func (a *reading) upTo(n uint64) func() bool {
	batch := make([]ring.Record, 64)
	return func() bool {
		k := a.in.Peek(batch)
		if k > 0 && a.in.First() != a.due {
			a.Fatalf("number %d where %d is due", a.in.First(), a.due)
		}
		a.due += uint64(k)
		if err := a.in.Release(k); err != nil {
			a.Fatal(err)
		}
		return a.due > n
	}
}

// keys is an out for the one end and the same in for the other.
func keys(t *testing.T, out, in netio.Keyed, channel string, s *seal.Secret) {
	t.Helper()
	if err := errors.Join(in.Key(channel, nil, s), out.Key(channel, s, nil)); err != nil {
		t.Fatal(err)
	}
}

// What nodes agree to seal leaves with a secret of theirs and not without, is carried on with the next one, and waits for it where the last
// was taken away.
func TestAnAgreedChannelFlowsWithASecretAndNotWithout(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	got := newReading(t, mirrors, 7)
	out, right, in := keyedNodes(t, netio.Exchange{Channel: "quotes", Capacity: 1 << 16, Sealed: true, Agreed: true, Mirrors: mirrors})
	own, w := fileRing(t, 7)
	if err := out.Add("quotes", own); err != nil {
		t.Fatal(err)
	}
	from, to := out.(*way).outlets["quotes"], right.(*ways).inlets["quotes"]
	put(t, w)
	if out.Alive("quotes") {
		t.Error("a way without a secret is alive")
	}
	first, second, third := seal.NewSecret(), seal.NewSecret(), seal.NewSecret()
	if err := in.Key("quotes", nil, &first); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * DefaultHeartbeat) // nothing may come, not even a heartbeat
	if n := from.Stats().Datagrams; n != 0 {
		t.Fatalf("%d datagrams left without a secret", n)
	}
	keys(t, out, in, "quotes", &first)
	within(t, "the first", got.upTo(1))
	if !out.Alive("quotes") {
		t.Error("it flows, and is not alive")
	}
	for i := range uint64(300) { // turned while it flows
		put(t, w)
		if i == 100 {
			keys(t, out, in, "quotes", &second)
		}
	}
	within(t, "what was published across a turn", got.upTo(301))
	keys(t, out, in, "quotes", nil)
	if out.Alive("quotes") {
		t.Error("its secret was taken away, and it is alive")
	}
	sent := from.Stats().Datagrams
	for range 100 {
		put(t, w)
	}
	time.Sleep(3 * DefaultHeartbeat) // as before
	if n := from.Stats().Datagrams; n != sent || got.due != 302 {
		t.Fatalf("%d datagrams left after the secret was taken away, and %d is due", n-sent, got.due)
	}
	if !own.Gates(placeOf("right")) {
		t.Error("what waits for a secret is not held")
	}
	if err := out.Key("quotes", &third, nil); err != nil {
		t.Fatal(err)
	}
	within(t, "a receiver without the secret refuses", func() bool { return disbelieved(to) > 0 })
	if got.upTo(302)() {
		t.Fatal("it came to a receiver that has no secret")
	}
	keys(t, out, in, "quotes", &third)
	within(t, "the rest", got.upTo(401))
	within(t, "all is confirmed", func() bool { return out.Lag("quotes") == 0 })
	within(t, "it lets go", func() bool { done, err := out.Remove("quotes", own); return done && err == nil })
	if err := errors.Join(w.Close(), own.Close()); err != nil {
		t.Error(err)
	}
}

// Publishers of a best-effort channel are not held up by a way that has no secret yet, or none any more.
func TestWithoutASecretNobodyWaitsForBestEffort(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	out, _, in := keyedNodes(t, netio.Exchange{Channel: "quotes", Capacity: 1 << 16, BestEffort: true, Sealed: true, Agreed: true, Mirrors: mirrors})
	own, w := fileRing(t, 7)
	if err := out.Add("quotes", own); err != nil {
		t.Fatal(err)
	}
	much := func() {
		for range 1 << 16 / 24 * 3 { // three rings full
			put(t, w)
		}
	}
	much()
	secret := seal.NewSecret()
	keys(t, out, in, "quotes", &secret)
	put(t, w)
	within(t, "it flows", func() bool { return out.(*way).outlets["quotes"].Stats().Frames > 0 })
	keys(t, out, in, "quotes", nil)
	much()
	if done, err := out.Remove("quotes", own); !done || err != nil {
		t.Error("a way without a secret keeps a ring", err)
	}
	if err := errors.Join(w.Close(), own.Close()); err != nil {
		t.Error(err)
	}
}

// Two nodes send one channel, each with a secret of its own; who leaves is believed no more.
func TestEachSenderHasItsOwnSecret(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Medium{}.Open(netio.Station{Node: "right", Bind: freeAt(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e := netio.Exchange{Channel: "quotes", Takes: true, Sealed: true, Agreed: true, Mirrors: mirrors}
	var from []netio.Way
	for _, node := range []string{"a", "b"} {
		one, err := w.To(netio.Far{Node: node, Exchanges: []netio.Exchange{e}})
		if err != nil {
			t.Fatal(err)
		}
		s := seal.NewSecret()
		if err := one.(netio.Keyed).Key("quotes", nil, &s); err != nil {
			t.Fatal(err)
		}
		from = append(from, one)
	}
	in := w.(*ways).inlets["quotes"]
	believed := func() (n int) {
		w.(*ways).crew.Between(func() { n = len(in.Receiver.secrets) })
		return n
	}
	if n := believed(); n != 2 {
		t.Errorf("%d secrets of 2 nodes", n)
	}
	if err := from[0].Close(); err != nil {
		t.Fatal(err)
	}
	if n := believed(); n != 1 || !in.opens(in.secrets["b"]) {
		t.Errorf("%d secrets after one of 2 nodes left", n)
	}
	s := seal.NewSecret()
	e.Agreed, e.Secret = false, &s
	if _, err := w.To(netio.Far{Node: "c", Exchanges: []netio.Exchange{e}}); !errors.Is(err, ErrOptions) {
		t.Error("a node with a secret of the file beside nodes that agree on theirs:", err)
	}
	e.Agreed = true
	if _, err := w.To(netio.Far{Node: "c", Exchanges: []netio.Exchange{e}}); !errors.Is(err, ErrOptions) {
		t.Error("a secret and none:", err)
	}
}

// keyedNodes is twoNodes with the way of each.
func keyedNodes(t *testing.T, e netio.Exchange) (out netio.Keyed, right netio.Ways, in netio.Keyed) {
	t.Helper()
	o, right := twoNodes(t, e)
	return o.(netio.Keyed), right, right.(*ways).all[0]
}

// disbelieved is how much a receiver did not believe.
func disbelieved(in *inlet) uint64 {
	s := in.Stats()
	return s.Drops(Forged) + s.Drops(NoSession)
}

// A way that gets its secret while somebody else has the place in a ring says so, is not alive, and carries the ring once it is given the secret again:
// a ring that it let go of silently would wait for ever.
func TestAWayThatCannotCarryARingIsGivenItsSecretAgain(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	got := newReading(t, mirrors, 7)
	out, _, in := keyedNodes(t, netio.Exchange{Channel: "quotes", Capacity: 1 << 16, Sealed: true, Agreed: true, Mirrors: mirrors})
	own, w := fileRing(t, 7)
	free, _ := fileRing(t, 8)
	for _, r := range []*ring.Ring{free, own} {
		if err := out.Add("quotes", r); err != nil {
			t.Fatal(err)
		}
	}
	other, err := own.Reader(ring.ReaderOptions{Name: placeOf("right"), Durable: true, From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w)
	secret := seal.NewSecret()
	if err := in.Key("quotes", nil, &secret); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := out.Key("quotes", &secret, nil); !errors.Is(err, ring.ErrOwned) {
			t.Errorf("a place that another has: %v", err)
		}
		if out.Alive("quotes") {
			t.Error("it carries nothing, and is alive")
		}
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Key("quotes", &secret, nil); err != nil {
		t.Fatal(err)
	}
	within(t, "what waited", got.upTo(1))
}
