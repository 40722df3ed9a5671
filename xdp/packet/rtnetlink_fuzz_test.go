package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// telling is a message of the kernel's.
func telling(kind uint16, body []byte, attributes ...any) []byte {
	q := newRequest(kind, 0, body...)
	for i := 0; i < len(attributes); i += 2 {
		q = q.with(uint16(attributes[i].(int)), attributes[i+1].([]byte))
	}
	q.number(0)
	return q
}

func tellingOfNeighbour(kind, state uint16, hop netip.Addr, mac []byte) []byte {
	body := neighbourBody(7, hop, 0)
	binary.NativeEndian.PutUint16(body[8:], state)
	return telling(kind, body, neighbourDest, hop.AsSlice(), neighbourMAC, mac)
}

// deaf is a Resolver of interface 7 without a kernel, which follows one neighbour and one that a router leads to.
func deaf() *Resolver {
	r := &Resolver{targets: map[netip.Addr]*Target{}, hops: map[netip.Addr]*hop{}}
	r.link = link{index: 7, kind: linkEthernet, flags: linkIsUp | linkHasLower, mac: macA, mtu: 1500}
	for to, by := range map[string]string{"10.0.0.1": "10.0.0.1", "192.0.2.1": "fe80::1"} {
		h := &hop{addr: netip.MustParseAddr(by)}
		r.hops[h.addr] = h
		r.targets[netip.MustParseAddr(to)] = &Target{to: netip.MustParseAddr(to), hop: h, route: route{kind: routeUnicast, table: 254, out: 7}}
	}
	r.settle()
	return r
}

func (r *Resolver) wayTo(to string) (Way, error) { return r.targets[netip.MustParseAddr(to)].Way() }

func TestNeighboursAreTakenAsTheKernelTellsOfThem(t *testing.T) {
	hop, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	proxy := tellingOfNeighbour(kindNewNeighbour, neighbourReachable, hop, macA[:])
	proxy[messageSize+10] = neighbourBy
	elsewhere := tellingOfNeighbour(kindNewNeighbour, neighbourReachable, hop, macA[:])
	elsewhere[messageSize+4] = 8
	r := deaf()
	for i, c := range []struct {
		said []byte
		mac  MAC
		err  error
	}{
		{nil, MAC{}, ErrPending},
		{tellingOfNeighbour(kindNewNeighbour, neighbourReachable, other, macA[:]), MAC{}, ErrPending},
		{proxy, MAC{}, ErrPending},
		{elsewhere, MAC{}, ErrPending},
		{tellingOfNeighbour(kindNewNeighbour, neighbourReachable, hop, macA[:5]), MAC{}, ErrPending},
		{tellingOfNeighbour(kindNewNeighbour, neighbourIncomplete, hop, macA[:]), MAC{}, ErrPending},
		{tellingOfNeighbour(kindNewNeighbour, neighbourReachable, hop, macA[:]), macA, nil},
		{tellingOfNeighbour(kindNewNeighbour, neighbourStale, hop, macB[:]), macB, nil},
		{tellingOfNeighbour(kindNewNeighbour, neighbourFailed, hop, nil), MAC{}, ErrSilent},
		{tellingOfNeighbour(kindNewNeighbour, neighbourIncomplete, hop, nil), MAC{}, ErrSilent},
		{tellingOfNeighbour(kindNewNeighbour, neighbourPermanent, hop, macA[:]), macA, nil},
		{tellingOfNeighbour(kindDelNeighbour, neighbourPermanent, hop, macA[:]), MAC{}, ErrPending},
		{append(tellingOfNeighbour(kindNewNeighbour, neighbourProbe, other, macA[:]), tellingOfNeighbour(kindNewNeighbour, neighbourNoARP, hop, macB[:])...), macB, nil},
	} {
		r.take(c.said)
		if way, err := r.wayTo("10.0.0.1"); way.NextHop != c.mac || err != c.err {
			t.Errorf("%d: %s, %v, not %s, %v", i, way.NextHop, err, c.mac, c.err)
		}
		if _, err := r.wayTo("192.0.2.1"); err != ErrPending {
			t.Errorf("%d: the other hop: %v", i, err)
		}
	}
	if r.stale {
		t.Error("neighbours have everything looked up")
	}
	r = deaf()
	r.hops[hop].fault = refusal(syscall.EPERM)
	r.settle()
	if _, err := r.wayTo("10.0.0.1"); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("not allowed to ask: %v", err)
	}
	for _, kind := range []uint16{kindNewRoute, kindDelRoute, kindNewAddr, kindDelAddr, kindNewRule, kindDelRule} {
		if r = deaf(); !r.stale {
			r.take(telling(kind, make([]byte, 12)))
		}
		if !r.stale {
			t.Errorf("message %d changes nothing", kind)
		}
	}
}

func TestRoutesAreReadWhateverTheyLeaveOut(t *testing.T) {
	body := func(family byte) []byte { return []byte{family, 32, 0, 0, 254, 0, 0, routeUnicast, 0, 0, 0, 0} }
	metric := newRequest(0, 0).with(metricMTU, word(1400))[messageSize:]
	via := append(binary.NativeEndian.AppendUint16(nil, familyIPv6), netip.MustParseAddr("fe80::1").AsSlice()...)
	four := []byte{10, 0, 0, 1}
	for i, c := range []struct {
		said []byte
		want route
		ok   bool
	}{
		{telling(kindNewRoute, body(familyIPv4), routeOut, word(7)), route{kind: 1, table: 254, out: 7}, true},
		{telling(kindNewRoute, body(familyIPv4), routeOut, word(7), routeHop, four, routeSource, []byte{10, 0, 0, 2}, routeTable, word(1000), routeMetric, []byte(metric)),
			route{1, 1000, 7, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), 1400}, true},
		{telling(kindNewRoute, body(familyIPv4), routeOut, word(7), routeVia, via), route{kind: 1, table: 254, out: 7, hop: netip.MustParseAddr("fe80::1")}, true},
		{telling(kindNewRoute, body(familyIPv6), routeOut, word(7), routeHop, four), route{kind: 1, table: 254, out: 7}, true},
		{telling(kindNewRoute, body(familyIPv4), routeHop, four), route{kind: 1, table: 254, hop: netip.MustParseAddr("10.0.0.1")}, false},
		{telling(kindNewRoute, body(familyIPv4)[:11]), route{}, false},
	} {
		m, rest, ok := nextMessage(c.said)
		if !ok || len(rest) != 0 {
			t.Fatalf("%d: not a message: %x", i, c.said)
		}
		if got, ok := readRoute(m.body); got != c.want || ok != c.ok {
			t.Errorf("%d: %+v, %v, not %+v, %v", i, got, ok, c.want, c.ok)
		}
	}
}

// FuzzNetlink holds that whatever bytes come, nothing panics, nothing is learned of neighbours that nobody follows, and each Ethernet
// address that is believed stands in those bytes.
func FuzzNetlink(f *testing.F) {
	hop, router := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")
	f.Add(tellingOfNeighbour(kindNewNeighbour, neighbourReachable, hop, macA[:]))
	f.Add(append(tellingOfNeighbour(kindNewNeighbour, neighbourStale, router, macB[:]), tellingOfNeighbour(kindDelNeighbour, 0, hop, nil)...))
	f.Add(telling(kindNewLink, append([]byte{0, 0, 1, 0}, append(word(7), make([]byte, 8)...)...), linkMAC, macB[:], linkMTU, word(9000), linkName, []byte("eth0\x00")))
	f.Add(telling(kindNewRoute, make([]byte, routeSize), routeOut, word(7), routeMetric, []byte(newRequest(0, 0).with(metricMTU, word(1400))[messageSize:])))
	f.Add(telling(kindError, word(-2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := deaf()
		r.take(b)
		if len(r.hops) != 2 || len(r.targets) != 2 {
			t.Fatalf("%d hops, %d targets", len(r.hops), len(r.targets))
		}
		for to, target := range r.targets {
			way, err := target.Way()
			if err != nil && way != (Way{}) || err == nil && !bytes.Contains(b, way.NextHop[:]) {
				t.Fatalf("%s: %+v, %v", to, way, err)
			}
		}
		for m, rest, ok := nextMessage(b); ok; m, rest, ok = nextMessage(rest) {
			if len(rest) >= len(b) {
				t.Fatal("no end")
			}
			b = rest
			m.errno()
			readLink(m.body)
			readRoute(m.body)
		}
	})
}

// What is asked reads back as what the kernel takes: a whole message of whole attributes.
func TestQuestionsHoldTogether(t *testing.T) {
	six := netip.MustParseAddr("fd77::1")
	ethernet := link{index: 7, kind: linkEthernet}
	for i, q := range []request{
		askLink("eth0"), askLink("eth0.1234"), askIndex(7), askRoute(&ethernet, six), askRoute(&link{kind: linkLoopback}, netip.MustParseAddr("10.0.0.1")),
		askNeighbour(7, six), useNeighbour(7, six),
	} {
		q.number(99)
		m, rest, ok := nextMessage(q)
		if !ok || len(rest) != 0 || m.seq != 99 || len(q)%4 != 0 {
			t.Errorf("%d: %x", i, []byte(q))
		}
	}
}

func BenchmarkIdleResolver(b *testing.B) {
	if err := netlab.Supported(); err != nil {
		b.Skip(err)
	}
	r, err := OpenResolver("lo")
	must(b, err)
	defer r.Close()
	now := time.Now()
	for b.Loop() {
		if _, err := r.Do(now); err != nil {
			b.Fatal(err)
		}
	}
}
