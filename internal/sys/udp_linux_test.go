package sys

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

var (
	loop4 = netip.MustParseAddrPort("127.0.0.1:0")
	loop6 = netip.MustParseAddrPort("[::1]:0")
)

func openUDP(t testing.TB, o UDPOptions) *UDP {
	t.Helper()
	u, err := OpenUDP(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil && !errors.Is(err, unix.EBADF) {
			t.Error(err)
		}
	})
	return u
}

// udpPair opens a receiver at local and a sender connected to it.
func udpPair(t testing.TB, local netip.AddrPort, recv UDPOptions) (to, from *UDP) {
	t.Helper()
	recv.Bind = local
	to = openUDP(t, recv)
	return to, openUDP(t, UDPOptions{Connect: to.Local()})
}

func sendBatch(t testing.TB, messages, pieces int) *SendBatch {
	t.Helper()
	b, err := NewSendBatch(messages, pieces)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func recvBatch(t testing.TB, messages, size int) *RecvBatch {
	t.Helper()
	b, err := NewRecvBatch(messages, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// slab is memory that a SendBatch may point into, filled from seed.
func slab(t testing.TB, n int, seed uint64) []byte {
	t.Helper()
	m, err := Arena(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Unmap(); err != nil {
			t.Error(err)
		}
	})
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range m.All() {
		m.All()[i] = byte(r.Uint32())
	}
	return m.All()
}

func addr(t testing.TB, ap netip.AddrPort) *Address {
	t.Helper()
	a, err := AddressOf(ap)
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

// until waits on u until done says so, and fails the test when it never does.
func until(t testing.TB, u *UDP, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		if err := u.Wait(20*time.Millisecond, false); err != nil {
			t.Fatal(err)
		}
	}
}

// recvAny waits for messages.
func recvAny(t testing.TB, u *UDP, b *RecvBatch) int {
	t.Helper()
	n := 0
	until(t, u, "a datagram", func() bool {
		var err error
		if n, err = u.Recv(b); err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	return n
}

// recvAll waits for so many bytes and returns the datagrams that carried them.
func recvAll(t testing.TB, u *UDP, b *RecvBatch, total int) (datagrams [][]byte) {
	t.Helper()
	for total > 0 {
		for i := range recvAny(t, u, b) {
			data, segment := b.Message(i)
			for len(data) > 0 {
				n := min(segment, len(data))
				datagrams = append(datagrams, bytes.Clone(data[:n]))
				data, total = data[n:], total-n
			}
		}
	}
	return datagrams
}

func onBoth(t *testing.T, f func(t *testing.T, loopback netip.AddrPort)) {
	t.Run("IPv4", func(t *testing.T) { f(t, loop4) })
	t.Run("IPv6", func(t *testing.T) { f(t, loop6) })
}

func TestConnectedDatagramArrivesWithItsSender(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		to, from := udpPair(t, loopback, UDPOptions{})
		in := recvBatch(t, 4, 100)
		if err := from.SendOne([]byte("tick")); err != nil {
			t.Fatal(err)
		}
		if n := recvAny(t, to, in); n != 1 || in.Len() != 1 {
			t.Fatal(n)
		}
		data, segment := in.Message(0)
		if string(data) != "tick" || segment != 4 || in.Truncated(0) || in.From(0).AddrPort() != from.Local() {
			t.Errorf("%q in segments of %d, truncated %t, from %s", data, segment, in.Truncated(0), in.From(0).AddrPort())
		}
		if ns, _ := in.Stamp(0); ns != 0 {
			t.Errorf("a stamp nobody asked for: %d", ns)
		}
	})
}

func TestUnconnectedSocketAnswersWhoWrote(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		a, b := openUDP(t, UDPOptions{Bind: loopback}), openUDP(t, UDPOptions{Bind: loopback})
		in, out := recvBatch(t, 2, 64), sendBatch(t, 2, 2)
		if err := a.SendOneTo([]byte("ping"), addr(t, b.Local())); err != nil {
			t.Fatal(err)
		}
		recvAny(t, b, in)
		who := in.From(0)
		if who != *addr(t, a.Local()) {
			t.Fatal(who.AddrPort())
		}
		pong := slab(t, 4, 1)
		copy(pong, "pong")
		if !out.Begin(&who, 0) || !out.Add(pong) {
			t.Fatal("no room")
		}
		if n, err := b.Send(out); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		recvAny(t, a, in)
		if data, _ := in.Message(0); string(data) != "pong" {
			t.Errorf("%q", data)
		}
	})
}

func TestOptionsAreRefusedAllAtOnce(t *testing.T) {
	_, err := OpenUDP(UDPOptions{
		Bind: loop4, Connect: loop6, RecvBuffer: -1, SendBuffer: maxBuffer + 1, BusyPoll: -1, DSCP: 64, TTL: 256, MulticastTTL: -1,
		PathMTU: 9, Timestamps: 9,
	})
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{"families", "no port", "receive buffer", "send buffer", "busy poll", "DSCP", "TTL 256", "multicast TTL",
		"path MTU", "timestamps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
	for _, o := range []UDPOptions{
		{},
		{Bind: loop4, PreferBusyPoll: true},
		{Bind: loop4, Timestamps: StampsHardware},
		{Bind: loop4, SendStamps: true},
		{Bind: loop4, MulticastInterface: "no-such-if"},
	} {
		if u, err := OpenUDP(o); err == nil {
			t.Errorf("%+v: opened, %v", o, u.Close())
		}
	}
}

func TestTakenPortIsRefusedByName(t *testing.T) {
	u := openUDP(t, UDPOptions{Bind: loop4})
	if _, err := OpenUDP(UDPOptions{Bind: u.Local()}); !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), u.Local().String()) {
		t.Error(err)
	}
}

func TestOptionsReadBackFromTheKernel(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		u := openUDP(t, UDPOptions{
			Bind: loopback, DSCP: 46, TTL: 9, MulticastTTL: 3, MulticastLoop: true, MulticastInterface: "lo", PathMTU: PathMTUProbe,
			ReusePort: true, ErrorQueue: true,
		})
		n := u.names()
		for _, c := range []struct{ level, name, want int }{
			{n.level, n.tos, 46 << 2}, {n.level, n.ttl, 9}, {n.level, n.groupTTL, 3}, {n.level, n.groupLoop, 1}, {n.level, n.groupAll, 0},
			{n.level, n.pathMTU, unix.IP_PMTUDISC_PROBE}, {n.level, n.errors, 1}, {unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		} {
			if got, err := unix.GetsockoptInt(u.fd, c.level, c.name); err != nil || got != c.want {
				t.Errorf("option %d of level %d: %d, %v, want %d", c.name, c.level, got, err, c.want)
			}
		}
		plain := openUDP(t, UDPOptions{Bind: loopback})
		if got, err := unix.GetsockoptInt(plain.fd, n.level, n.groupLoop); err != nil || got != 0 {
			t.Errorf("multicast loops back unasked: %d, %v", got, err)
		}
	})
}

func TestBuffersAreAsLargeAsAskedOrSaySo(t *testing.T) {
	plain := openUDP(t, UDPOptions{Bind: loop4}).Features()
	want := 8 << 20
	f := openUDP(t, UDPOptions{Bind: loop4, RecvBuffer: want, SendBuffer: want}).Features()
	if os.Geteuid() != 0 {
		want = plain.RecvBuffer // at least what it had
	}
	if f.RecvBuffer < want || f.SendBuffer < min(want, f.SendBuffer) || plain.RecvBuffer <= 0 {
		t.Errorf("buffers of %d and %d bytes, %d unasked", f.RecvBuffer, f.SendBuffer, plain.RecvBuffer)
	}
	small := openUDP(t, UDPOptions{Bind: loop4, RecvBuffer: 64 << 10}).Features()
	if small.RecvBuffer != 64<<10 {
		t.Errorf("%d bytes", small.RecvBuffer)
	}
}

func TestFeaturesSayWhatIsInForce(t *testing.T) {
	f := openUDP(t, UDPOptions{Bind: loop4}).Features()
	if f.GRO || f.Timestamps != StampsOff || f.PreferBusyPoll || f.ErrorQueue || f.SendStamps {
		t.Errorf("more than was asked: %+v", f)
	}
	if f.Segments != MaxSegments && f.Segments != MaxSegments/2 && f.Segments != 0 {
		t.Errorf("%d segments", f.Segments)
	}
	u := openUDP(t, UDPOptions{Bind: loop4, GRO: true, Timestamps: StampsHardware, StampInterface: "lo", BusyPoll: 50 * time.Microsecond,
		PreferBusyPoll: true, ErrorQueue: true})
	f = u.Features()
	if !f.GRO || !f.ErrorQueue || f.Timestamps != StampsSoftware { // loopback has no clock of its own
		t.Errorf("%+v", f)
	}
	if os.Geteuid() == 0 && (f.BusyPoll != 50*time.Microsecond || !f.PreferBusyPoll) {
		t.Errorf("busy poll is not in force: %+v", f)
	}
	if _, err := u.NAPI(); err != nil {
		t.Error(err)
	}
}

func TestPathKnowsItsMTU(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		to, from := udpPair(t, loopback, UDPOptions{})
		if mtu, err := from.MTU(); err != nil || mtu < 1280 {
			t.Error(mtu, err)
		}
		if _, err := to.MTU(); !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("not connected: %v", err)
		}
	})
}

func TestReusedPortSpreadsPeersOverItsSockets(t *testing.T) {
	const peers = 64
	a := openUDP(t, UDPOptions{Bind: loop4, ReusePort: true})
	b := openUDP(t, UDPOptions{Bind: a.Local(), ReusePort: true})
	for range peers {
		if err := openUDP(t, UDPOptions{Connect: a.Local()}).SendOne([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	in := recvBatch(t, peers, 8)
	got := [2]int{}
	until(t, a, "every datagram", func() bool {
		for i, u := range []*UDP{a, b} {
			n, err := u.Recv(in)
			if err != nil {
				t.Fatal(err)
			}
			got[i] += n
		}
		return got[0]+got[1] == peers
	})
	if got[0] == 0 || got[1] == 0 { // by chance: 2 in 2⁶⁴
		t.Errorf("%d and %d", got[0], got[1])
	}
}

func TestDroppedDatagramsAreCounted(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{RecvBuffer: 4096})
	const sent = 200
	for range sent {
		if err := from.SendOne(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	in := recvBatch(t, sent, 1000)
	n, err := to.Recv(in)
	if err != nil {
		t.Fatal(err)
	}
	if drops, err := to.Drops(); err != nil || int(drops) != sent-n || drops == 0 {
		t.Errorf("%d of %d arrived, %d drops, %v", n, sent, drops, err)
	}
}

func TestWaitEndsWithADatagramOrInTime(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{})
	if err := to.Wait(time.Millisecond, false); err != nil {
		t.Fatal(err)
	}
	if err := to.Wait(patience, true); err != nil { // there is room at once
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() { woken <- to.Wait(time.Hour, false) }()
	if err := from.SendOne([]byte("x")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-woken:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("nobody woke the waiter")
	}
}

func TestClosedSocketSaysSo(t *testing.T) {
	u := openUDP(t, UDPOptions{Bind: loop4})
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	in := recvBatch(t, 1, 10)
	_, recv := u.Recv(in)
	_, one := u.RecvOne(in)
	for _, err := range []error{recv, one, u.SendOne(nil), u.Wait(0, false), u.Close()} {
		if !errors.Is(err, unix.EBADF) {
			t.Error(err)
		}
	}
}

func TestSocketCallsAllocateNothing(t *testing.T) {
	for _, o := range []UDPOptions{{}, {GRO: true, Timestamps: StampsSoftware}} {
		t.Run(fmt.Sprintf("GRO %t", o.GRO), func(t *testing.T) {
			to, from := udpPair(t, loop4, o)
			peer, bytes := addr(t, to.Local()), slab(t, 256, 1)
			in, out := recvBatch(t, 8, 2048), sendBatch(t, 8, 16)
			q := new(QueuedError)
			seen := 0
			look := func() {
				for i := range in.Len() {
					data, segment := in.Message(i)
					ns, _ := in.Stamp(i)
					seen += len(data) + segment + int(ns&1)
					if in.Truncated(i) || in.From(i) == *peer {
						seen++
					}
				}
			}
			var fault error
			note := func(err error) {
				if err != nil {
					fault = err
				}
			}
			allocs := testing.AllocsPerRun(100, func() {
				out.Reset()
				for i := range 4 {
					if i%2 == 0 {
						out.Begin(nil, 64)
					} else {
						out.Begin(peer, 0)
					}
					out.Add(bytes[:64])
					out.Add(bytes[128:192])
				}
				_, err := from.Send(out)
				note(err)
				note(from.SendOne(bytes))
				note(from.SendOneTo(bytes, peer))
				_, err = to.Recv(in)
				note(err)
				look()
				_, err = to.RecvOne(in)
				note(err)
				look()
				_, err = to.NextError(q)
				note(err)
				note(to.Wait(0, true))
				_, err = to.Drops()
				note(err)
			})
			if allocs != 0 || fault != nil || seen == 0 {
				t.Errorf("%v allocations, %v, saw %d", allocs, fault, seen)
			}
		})
	}
}

func TestRefusalsAllocateNothing(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{})
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	in := recvBatch(t, 1, 100)
	tooBig := make([]byte, MaxDatagram+1)
	refused := 0
	if allocs := testing.AllocsPerRun(100, func() {
		_ = from.SendOne(tooBig[:1])
		if _, err := from.Recv(in); errors.Is(err, ErrRefused) {
			refused++
		}
		if err := from.SendOne(tooBig); errors.Is(err, ErrTooBig) {
			refused++
		}
	}); allocs != 0 || refused == 0 {
		t.Errorf("%v allocations, %d refusals", allocs, refused)
	}
}
