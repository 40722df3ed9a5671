package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

// The listening node restarts again and again under load, with mirrors that last: nothing is lost, repeated or out of order.
func TestRestartedListenerGoesOnWhereItWas(t *testing.T) {
	b := newBed(t)
	b.dial.PauseMax = 50 * time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16, Dir: t.TempDir()}, "ticks")
	b.open().connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16, Path: filepath.Join(t.TempDir(), "r.ring")})
	must(t, b.link.Add("ticks", one.ring))
	until(t, "a first connection", func() bool { return b.tx.count(link.Connected) == 1 })
	for range scaled(40) {
		end := one.next + 300
		until(t, "some are published", func() bool {
			for one.next < end && one.publish(100) {
			}
			b.sinks.drain()
			return one.next == end
		})
		b.stop()
		b.sinks.drain()
		b.sinks.shut()
		b.start()
	}
	b.carried(one, 100, 100)
	if k := b.sinks.of(one.ring); k.first != 1 || uint64(k.got) != one.next-1 {
		t.Errorf("%d messages from %d on, of %d", k.got, k.first, one.next-1)
	}
	until(t, "each is told once", func() bool {
		n := b.tx.count(link.Disconnected)
		return n > 0 && n == b.tx.count(link.Connected)-1
	})
}

// across puts a relay between the nodes.
func (b *bed) across(c simnet.Config) *simnet.Relay {
	b.t.Helper()
	c.Target = b.listener.Local()
	r, err := simnet.New(c)
	must(b.t, err)
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(context.Background()) })
	b.t.Cleanup(func() { _ = r.Close(); running.Wait() })
	b.dial.To = r.Addr()
	return r
}

// What crosses the way arrives once and in order, whatever the way does.
func TestWayThatLosesAndReordersChangesNothing(t *testing.T) {
	b := newBed(t)
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open()
	relay := b.across(simnet.Config{Seed: 1, Up: simnet.Faults{Loss: 0.02, Reorder: 0.05, Duplicate: 0.02, Corrupt: 0.01, Delay: time.Millisecond},
		Down: simnet.Faults{Loss: 0.1, Delay: time.Millisecond}})
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	bad := func() bool {
		up, down := relay.Counters()
		return up.Lost > 3 && down.Lost > 0 && up.Reordered > 3 && up.Corrupted > 0 && up.Duplicated > 0
	}
	for sent := 0; sent < 1000 || !bad(); sent += 500 {
		b.carried(one, 500, 256)
	}
}

// A node that falls silent is missed within the liveness and a heartbeat, and its channels go on when it is back.
func TestSilenceIsNoticedInTime(t *testing.T) {
	b := newBed(t)
	b.dial.Link.Heartbeat, b.dial.Link.Liveness = 100*time.Millisecond, 600*time.Millisecond
	b.listen.Link.Heartbeat, b.listen.Link.Liveness = b.dial.Link.Heartbeat, b.dial.Link.Liveness
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open()
	relay := b.across(simnet.Config{})
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 10, 64)
	began := time.Now()
	relay.Partition(simnet.Both, true)
	for range 10 {
		one.publish(64)
	}
	until(t, "both notice", func() bool { return b.tx.count(link.Disconnected) == 1 && b.rx.count(link.Disconnected) == 1 })
	if took := time.Since(began); took < b.dial.Link.Liveness-2*b.dial.Link.Heartbeat {
		t.Errorf("noticed after %s, which is too soon", took)
	}
	for _, g := range []*log{&b.tx, &b.rx} {
		if e, ok := g.find(func(e link.Event) bool { return e.Kind == link.Disconnected }); !ok || !errors.Is(e.Err, link.ErrSilent) {
			t.Error(e.Err)
		}
	}
	if b.link.Alive() {
		t.Error("alive")
	}
	relay.Partition(simnet.Both, false)
	b.carried(one, 10, 64)
	if b.tx.count(link.Connected) != 2 {
		t.Error("not connected anew")
	}
}

// A ring can change hands between two links to one node, both ways, under load.
func TestRingGoesFromLinkToLink(t *testing.T) {
	b := newBed(t)
	b.listen.Nodes = []string{"tx", "tx2"}
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open().connect()
	second := b.dial
	second.Link.Node, second.TLS = "tx2", client(t, b.authority, "tx2", "rx")
	other, err := Dial(second)
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	one := newSource(t, ring.Options{Capacity: 1 << 16, Path: filepath.Join(t.TempDir(), "r.ring")})
	links := []*Link{b.link, other}
	for i := range scaled(40) {
		now := links[i%2]
		must(t, now.Add("ticks", one.ring))
		end := one.next + 500
		until(t, "some are published", func() bool {
			for one.next < end && one.publish(100) {
			}
			b.sinks.drain()
			return one.next == end
		})
		if had, err := now.Remove("ticks", one.ring); !had || err != nil {
			t.Fatal(had, err)
		}
	}
	must(t, other.Add("ticks", one.ring))
	b.carried(one, 100, 100)
	if k := b.sinks.of(one.ring); k.first != 1 || uint64(k.got) != one.next-1 {
		t.Errorf("%d messages from %d on, of %d", k.got, k.first, one.next-1)
	}
}

// Nobody listens, then somebody does.
func TestDialerOutlastsAnAbsentNode(t *testing.T) {
	b := newBed(t)
	b.dial.Connect, b.dial.PauseMax = 200*time.Millisecond, 50*time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open().stop()
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	until(t, "absence is told", func() bool { return b.tx.count(link.Disconnected) == 1 })
	b.start()
	b.carried(one, 100, 64)
	if n := b.tx.count(link.Disconnected); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// A node has two addresses, and nobody answers at the first: the second is tried.
func TestNodeIsTriedAtEachOfItsAddresses(t *testing.T) {
	b := newBed(t)
	b.dial.Connect = 500 * time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open()
	silent, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	must(t, err)
	defer silent.Close()
	b.dial.To, b.dial.Others = silent.LocalAddr().(*net.UDPAddr).AddrPort(), []netip.AddrPort{b.listener.Local()}
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 100, 64)
	if e, _ := b.tx.find(func(e link.Event) bool { return e.Kind == link.Disconnected }); !strings.Contains(e.Err.Error(), b.dial.To.String()) {
		t.Error(e)
	}
}

// A channel of which the nodes mean different things does not flow and says in what; the others do.
func TestContractsThatDifferAreNamedOnBothSides(t *testing.T) {
	b := newBed(t)
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks", "orders", "here", "there")
	b.dial.Link.Channels[1].Domain = "execution"
	b.dial.Link.Channels = b.dial.Link.Channels[:3]
	b.listen.Link.Channels = append(b.listen.Link.Channels[:2:2], b.listen.Link.Channels[3])
	b.dial.Link.Patience, b.listen.Link.Patience = 500*time.Millisecond, 500*time.Millisecond
	b.open().connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 100, 64)
	for _, want := range []struct {
		on            *log
		channel, text string
	}{
		{&b.tx, "orders", `link: contract: channel "orders": domain: here "execution", there ""`},
		{&b.rx, "orders", `link: contract: channel "orders": domain: here "", there "execution"`},
		{&b.tx, "here", `link: contract: "rx" has no channel "here"`},
		{&b.rx, "here", `link: contract: this node has no channel "here", and "tx" has`},
		{&b.rx, "there", `link: contract: "tx" has no channel "there"`},
	} {
		until(t, fmt.Sprint(want), func() bool {
			_, ok := want.on.find(func(e link.Event) bool {
				return e.Kind == link.Refused && e.Channel == want.channel && e.Err.Error() == want.text
			})
			return ok
		})
	}
	if b.link.Flows("orders") || !b.link.Flows("ticks") {
		t.Error("the wrong one flows")
	}
	time.Sleep(b.listen.Link.Liveness / 2)
	b.carried(one, 100, 64)
	if b.tx.count(link.Disconnected) != 0 {
		t.Errorf("%+v", b.tx.all)
	}
}
