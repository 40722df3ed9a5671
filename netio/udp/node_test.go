package udp

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// twoNodes opens the medium for two nodes that are joined by a channel from left to right.
func twoNodes(t *testing.T, e netio.Exchange) (out netio.Way, right netio.Ways) {
	t.Helper()
	at := [2]netip.AddrPort{freeAt(t), freeAt(t)}
	open := func(i int, name string) netio.Ways {
		w, err := Medium{}.Open(netio.Station{Node: name, Bind: at[i], Notes: func(n netio.Note) { t.Logf("%s: %+v", name, n) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
		return w
	}
	left, right := open(0, "left"), open(1, "right")
	sends, takes := e, e
	sends.Sends, takes.Takes, sends.Mirrors = true, true, nil
	if _, err := right.To(netio.Far{Node: "left", Addresses: at[:1], Exchanges: []netio.Exchange{takes}}); err != nil {
		t.Fatal(err)
	}
	out, err := left.To(netio.Far{Node: "right", Addresses: at[1:], Exchanges: []netio.Exchange{sends}})
	if err != nil {
		t.Fatal(err)
	}
	return out, right
}

// freeAt is a port of this host that nobody has just now.
func freeAt(t *testing.T) netip.AddrPort {
	t.Helper()
	r, err := NewReceiver(ReceiverOptions{Channel: "free", Lines: []Listen{{Bind: netip.MustParseAddrPort("127.0.0.1:0")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Local(0)
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10s: %s", what)
		}
	}
}

func fileRing(t *testing.T, source uint64) (*ring.Ring, *ring.Writer) {
	t.Helper()
	r, err := ring.Open(ring.Options{Path: filepath.Join(t.TempDir(), "one.ring"), Capacity: 1 << 16, Instance: source})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func put(t *testing.T, w *ring.Writer) {
	t.Helper()
	if _, err := w.Claim(8); err != nil {
		t.Fatal(err)
	}
	w.Commit(8)
}

// What arrives while another link is in the mirror waits, and none of it is lost.
func TestWhatComesWhileAMirrorIsTakenWaits(t *testing.T) {
	for name, bestEffort := range map[string]bool{"repaired": false, "best effort": true} {
		t.Run(name, func(t *testing.T) { waitsForAMirror(t, bestEffort) })
	}
}

func waitsForAMirror(t *testing.T, bestEffort bool) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	other, err := netio.NewInbox(netio.InboxOptions{Shared: mirrors})
	if err != nil {
		t.Fatal(err)
	}
	m, err := other.Open(7, 1)
	if err != nil {
		t.Fatal(err)
	}
	in, err := m.Ring.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	out, right := twoNodes(t, netio.Exchange{Channel: "quotes", Capacity: 1 << 16, BestEffort: bestEffort, Mirrors: mirrors})
	own, w := fileRing(t, 7)
	if err := out.Add("quotes", own); err != nil {
		t.Fatal(err)
	}
	due, batch := uint64(1), make([]ring.Record, 64)
	has := func(n uint64) func() bool {
		return func() bool {
			k := in.Peek(batch)
			if k > 0 && in.First() != due {
				t.Fatalf("number %d where %d is due", in.First(), due)
			}
			due += uint64(k)
			if err := in.Release(k); err != nil {
				t.Fatal(err)
			}
			return due > n
		}
	}
	put(t, w)
	within(t, "the first", has(1))
	within(t, "the mirror is free", m.Enter)
	for range 20 {
		put(t, w)
	}
	from, to := out.(*way).outlets["quotes"], right.(*ways).inlets["quotes"]
	within(t, "all of it is sent", func() bool { return from.Stats().Frames == 21 })
	within(t, "all of it arrived", func() bool { return to.Stats().Datagrams >= from.Stats().Datagrams })
	if k := in.Peek(batch); k != 0 {
		t.Errorf("%d records in a mirror that is taken", k)
	}
	m.Leave()
	within(t, "the rest", has(21))
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
	if err := errors.Join(out.Close(), in.Close(), other.Close(), w.Close(), own.Close()); err != nil {
		t.Error(err)
	}
}

// A way is alive while somebody answers. Without anybody it is not, and is left alone for a while once it carries nothing.
func TestAWayIsAliveWhileSomebodyAnswers(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	out, right := twoNodes(t, netio.Exchange{Channel: "quotes", Capacity: 1 << 16, Mirrors: mirrors})
	if !out.Alive("quotes") || out.Alive("orders") {
		t.Error("a way that carries nothing yet is not known to be dead, and knows its channels")
	}
	own, w := fileRing(t, 7)
	if err := out.Add("quotes", own); err != nil {
		t.Fatal(err)
	}
	put(t, w)
	o := out.(*way).outlets["quotes"]
	within(t, "an answer", func() bool { return out.Alive("quotes") && o.standing.heard.Load() == 1 })
	within(t, "all is confirmed", func() bool { return out.Lag("quotes") == 0 })
	if err := right.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, w)
	within(t, "death", func() bool { return !out.Alive("quotes") })
	if out.Lag("quotes") == 0 {
		t.Error("nobody confirmed what was published last")
	}
	within(t, "it lets go", func() bool { done, err := out.Remove("quotes", own); return done && err == nil })
	if out.Alive("quotes") {
		t.Error("it forgets at once that nobody answered")
	}
	if !o.alive(time.Now().Add(shunMost)) {
		t.Error("it is never tried again")
	}
	if err := errors.Join(w.Close(), own.Close()); err != nil {
		t.Error(err)
	}
}

// One receiver takes a channel from all nodes, until the last of them is left, and none with another secret.
func TestOneReceiverServesAllNodes(t *testing.T) {
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Medium{}.Open(netio.Station{Node: "right", Bind: freeAt(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e := netio.Exchange{Channel: "quotes", Takes: true, Mirrors: mirrors}
	a, err := w.To(netio.Far{Node: "a", Exchanges: []netio.Exchange{e}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.To(netio.Far{Node: "b", Exchanges: []netio.Exchange{e}})
	if err != nil {
		t.Fatal(err)
	}
	secret := seal.NewSecret()
	e.Secret = &secret
	if _, err := w.To(netio.Far{Node: "c", Exchanges: []netio.Exchange{e}}); !errors.Is(err, ErrOptions) {
		t.Errorf("another secret: %v", err)
	}
	all := w.(*ways).inlets
	one := all["quotes"]
	if err := a.Close(); err != nil || all["quotes"] != one || one.Receiver.closed {
		t.Error("the receiver went with the first of two", err)
	}
	if err := b.Close(); err != nil || len(all) != 0 || !one.Receiver.closed {
		t.Error("the receiver stays without anybody", err)
	}
}

func TestWhatIsEncryptedIsNotSentInTheClear(t *testing.T) {
	w, err := Medium{}.Open(netio.Station{Node: "left", Bind: freeAt(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	to := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7403")}
	for _, far := range []netio.Far{
		{Node: "right", Addresses: to, Secure: true, Exchanges: []netio.Exchange{{Channel: "quotes", Sends: true}}},
		{Node: "right", Addresses: to, Exchanges: []netio.Exchange{{Channel: "quotes", Sends: true, Sealed: true}}},
	} {
		if _, err := w.To(far); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "has no secret") {
			t.Error(err)
		}
	}
	secret := seal.NewSecret()
	out, err := w.To(netio.Far{Node: "right", Addresses: to, Exchanges: []netio.Exchange{{Channel: "quotes", Sends: true, Secret: &secret}}})
	if err != nil {
		t.Fatal(err)
	}
	if s := out.(*way).outlets["quotes"]; s.options.Secret == nil {
		t.Error("a secret is given, and not used")
	}
	for _, e := range []netio.Exchange{{Channel: "far", Sends: true, Number: 60_000}, {Channel: "near", Takes: true, Number: 65_000}} {
		if _, err := w.To(netio.Far{Node: "right", Addresses: to, Exchanges: []netio.Exchange{e}}); !errors.Is(err, ErrOptions) {
			t.Errorf("channel %s has no port: %v", e.Channel, err)
		}
	}
}
