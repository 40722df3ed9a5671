package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/xdp/packet"
)

// station is a hub on a host.
func (b *bed) station(host string, ports ...uint16) (h *Hub) {
	b.t.Helper()
	err := b.lab.In(host, func() (err error) {
		h, err = OpenHub(HubOptions{Device: Options{Interface: netlab.Device, Ports: ports, Attach: AttachGeneric}})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return h
}

func (b *bed) ending(h *Hub, host string, o EndOptions) (e *End, err error) {
	b.t.Helper()
	err = b.lab.In(host, func() (err error) {
		e, err = h.End(o)
		return err
	})
	return e, err
}

func (b *bed) endAt(h *Hub, host string, port uint16, peers ...netip.Addr) *End {
	b.t.Helper()
	e, err := b.ending(h, host, EndOptions{Local: netip.AddrPortFrom(b.lab.Addr(host), port), Peers: peers})
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// say6 sends texts from an end.
func sayAll(t *testing.T, e *End, to netip.AddrPort, texts ...string) {
	t.Helper()
	for _, text := range texts {
		p := e.Place(to, len(text))
		if p == nil {
			t.Fatal("no room")
		}
		copy(p, text)
	}
	if waiting, err := e.Flush(); waiting != 0 || err != nil {
		t.Fatal(waiting, err)
	}
}

// heardBy is what an end receives until it is n datagrams.
func heardBy(t *testing.T, e *End, n int) (texts []string, from netip.AddrPort) {
	t.Helper()
	for end := time.Now().Add(patience); len(texts) < n; {
		k, err := e.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for i := range k {
			var d []byte
			d, from = e.Datagram(i)
			texts = append(texts, string(d))
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d datagrams: %q", len(texts), n, texts)
		}
	}
	return texts, from
}

func TestEndsOfAHubAreDealtTheirDatagrams(t *testing.T) {
	b := newBed(t, netlab.Options{})
	near, far := b.station("a", 7001), b.station("b", 7001, 7002, 7003)
	out := b.endAt(near, "a", 7001, b.lab.Addr("b"))
	one, two := b.endAt(far, "b", 7001, b.lab.Addr("a")), b.endAt(far, "b", 7002)
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(b.lab.Addr("b"), port) }
	for i := range 5 { // one looks for news and gets two's as well
		first, second := fmt.Sprintf("to one, %d", i), fmt.Sprintf("to two, %d", i)
		sayAll(t, out, at(7002), second)
		sayAll(t, out, at(7003), "to nobody")
		sayAll(t, out, at(7001), first)
		if got, from := heardBy(t, one, 1); got[0] != first || from != out.Local() {
			t.Fatalf("%q from %s", got, from)
		}
	}
	if got, _ := heardBy(t, two, 5); !slices.Equal(got, []string{"to two, 0", "to two, 1", "to two, 2", "to two, 3", "to two, 4"}) {
		t.Errorf("%q", got)
	}
	sayAll(t, one, out.Local(), "back")
	if got, from := heardBy(t, out, 1); got[0] != "back" || from != one.Local() {
		t.Errorf("%q from %s", got, from)
	}
	s := far.Stats()
	if s.Received != 10 || s.Nobody != 5 || s.Overrun != 0 || s.Sent != 1 {
		t.Errorf("%+v", s)
	}
	// An end that never looks loses what is too much, and nobody else does.
	for range 3 {
		for range 500 {
			sayAll(t, out, at(7002), "much")
		}
		sayAll(t, out, at(7001), "more")
		heardBy(t, one, 1)
	}
	if s = far.Stats(); s.Overrun == 0 || s.Received+s.Overrun != 10+1503 {
		t.Errorf("%+v", s)
	}
}

func TestEndSaysWhatHasNoWay(t *testing.T) {
	b := newBed(t, netlab.Options{})
	h := b.station("a", 7001)
	e := b.endAt(h, "a", 7001)
	silent := netip.AddrPortFrom(b.lab.Addr("b").Next().Next().Next(), 9)
	for end := time.Now().Add(patience); ; {
		sayAll(t, e, silent, "anybody there?")
		n, why := e.Refused()
		if n != 1 || why == nil {
			t.Fatal(n, why)
		}
		if errors.Is(why, packet.ErrSilent) {
			if !strings.Contains(why.Error(), silent.String()) {
				t.Error(why)
			}
			break
		}
		if !errors.Is(why, packet.ErrPending) || time.Now().After(end) {
			t.Fatal(why)
		}
		if _, err := e.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	if n, why := e.Refused(); n != 0 || why != nil {
		t.Error("told twice", n, why)
	}
	for to, want := range map[netip.Addr]error{silent.Addr(): packet.ErrSilent, b.lab.Addr("a"): packet.ErrLocal, b.lab.Addr("b").Next(): nil} {
		if err := e.Reach(to); !errors.Is(err, want) {
			t.Errorf("%s: %v, not %v", to, err, want)
		}
	}
	if h.Stats().Sent != 0 {
		t.Errorf("%+v", h.Stats())
	}
}

func TestBadEndsNameEveryFault(t *testing.T) {
	b := newBed(t, netlab.Options{})
	h := b.station("a", 7001)
	local := netip.AddrPortFrom(b.lab.Addr("a"), 7001)
	b.endAt(h, "a", 7001)
	for _, c := range []struct {
		o     EndOptions
		words []string
	}{
		{EndOptions{}, []string{"no address of a host", "port 0"}},
		{EndOptions{Local: netip.AddrPortFrom(local.Addr(), 9), Groups: []netip.Addr{local.Addr()}}, []string{"port 9", "no multicast group"}},
		{EndOptions{Local: local}, []string{"another end's"}},
	} {
		_, err := b.ending(h, "a", c.o)
		if !errors.Is(err, ErrEnd) {
			t.Errorf("%+v: %v", c.o, err)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q is not in %v", w, err)
			}
		}
	}
}

func TestEndsAllocateNothing(t *testing.T) {
	b := newBed(t, netlab.Options{})
	near, far := b.station("a", 7001), b.station("b", 7002)
	out, in := b.endAt(near, "a", 7001, b.lab.Addr("b")), b.endAt(far, "b", 7002, b.lab.Addr("a"))
	sayAll(t, out, in.Local(), "first")
	heardBy(t, in, 1)
	got := 0
	if n := testing.AllocsPerRun(200, func() {
		for range 8 {
			p := out.Place(in.Local(), 64)
			p[0]++
		}
		_, _ = out.Flush()
		k, _ := in.Receive()
		got += k
	}); n != 0 {
		t.Errorf("%v allocations for eight datagrams", n)
	}
	if got < 1000 {
		t.Errorf("%d datagrams arrived", got)
	}
}

// An end that waits costs nothing, and what comes wakes it.
func TestHubSleepsUntilSomethingComes(t *testing.T) {
	b := newBed(t, netlab.Options{})
	near, far := b.station("a", 7001), b.station("b", 7001)
	out, in := b.endAt(near, "a", 7001, b.lab.Addr("b")), b.endAt(far, "b", 7001, b.lab.Addr("a"))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const rounds, nap = 50, 20 * time.Millisecond
	began, before := time.Now(), threadTime(t)
	for range rounds {
		if n, err := in.Receive(); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := far.Wait(nap); err != nil {
			t.Fatal(err)
		}
	}
	used, wall := threadTime(t)-before, time.Since(began)
	if wall < rounds*nap/2 { // something unasked for woke it: neighbours, say
		t.Errorf("%d waits of %s took %s", rounds, nap, wall)
	}
	if used > wall/20 {
		t.Errorf("%s of processor time in %s", used, wall)
	}
	sent := make(chan error, 1)
	go func() {
		copy(out.Place(in.Local(), 7), "wake up")
		_, err := out.Flush()
		sent <- err
	}()
	defer func() {
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}()
	for end := time.Now().Add(patience); ; {
		if err := far.Wait(patience); err != nil {
			t.Fatal(err)
		}
		n, err := in.Receive()
		if err != nil || time.Now().After(end) {
			t.Fatal(n, err)
		}
		if n > 0 {
			return
		}
	}
}

// threadTime is what the calling thread used of its processor.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		t.Fatal(err)
	}
	var ns int64
	if _, err := fmt.Sscan(string(b), &ns); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}

// A hub that could get only a few chunks gets the others once the kernel has sent what was in them, also when those few were not used: who waits until
// there is room for more would wait for ever.
func TestAHubGetsItsChunksBack(t *testing.T) {
	b := newBed(t, netlab.Options{})
	var h *Hub
	if err := b.lab.In("a", func() (err error) {
		h, err = OpenHub(HubOptions{Device: Options{Interface: netlab.Device, Ports: []uint16{7001}, Attach: AttachGeneric, SendChunks: minRing}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	e := b.endAt(h, "a", 7001, b.lab.Addr("b"))
	to := netip.AddrPortFrom(b.lab.Addr("b"), 9)
	if err := b.lab.LinkDown("a"); err != nil {
		t.Fatal(err)
	}
	for range minRing - 4 {
		if e.Place(to, 4) == nil {
			t.Fatal("no room")
		}
	}
	if waiting, err := e.Flush(); waiting != minRing-4 || err != nil {
		t.Fatal(waiting, err)
	}
	if n := e.Spare(); n != 4 {
		t.Fatalf("room for %d", n)
	}
	if err := b.lab.LinkUp("a"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); e.Spare() != minRing; {
		if _, err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("room for %d", e.Spare())
		}
	}
}
