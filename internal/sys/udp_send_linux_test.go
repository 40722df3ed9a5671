package sys

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func needSegments(t testing.TB, u *UDP) int {
	t.Helper()
	n := u.Features().Segments
	if n == 0 {
		t.Skip("this kernel cuts no segments (UDP_SEGMENT, since Linux 4.18)")
	}
	return n
}

func TestSegmentsArriveWholeAndInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		for _, gro := range []bool{false, true} {
			const segment, total = 1000, 20_500
			to, from := udpPair(t, loopback, UDPOptions{GRO: gro, RecvBuffer: 1 << 20})
			needSegments(t, from)
			out, in, sent := sendBatch(t, 1, 64), recvBatch(t, 32, 1<<16), slab(t, 2*total, 7)
			if !out.Begin(nil, segment) {
				t.Fatal("no room")
			}
			want := []byte(nil)
			for off := 0; len(want) < total; off += 1000 { // pieces that are not neighbours and no multiple of a segment
				piece := sent[off : off+min(500, total-len(want))]
				if !out.Add(piece) {
					t.Fatalf("piece at %d refused", off)
				}
				want = append(want, piece...)
			}
			if n, err := from.Send(out); n != 1 || err != nil || out.Unsent() != 0 {
				t.Fatal(n, err)
			}
			got := recvAll(t, to, in, total)
			for i, d := range got {
				if len(d) != segment && i != len(got)-1 {
					t.Errorf("GRO %t: datagram %d of %d bytes", gro, i, len(d))
				}
			}
			if !bytes.Equal(bytes.Join(got, nil), want) || len(got) != 21 {
				t.Errorf("GRO %t: %d datagrams, or other bytes", gro, len(got))
			}
		}
	})
}

func TestGROTellsTheSegment(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{GRO: true})
	needSegments(t, from)
	out, in, sent := sendBatch(t, 1, 1), recvBatch(t, 4, 1<<16), slab(t, 8000, 1)
	out.Begin(nil, 100)
	out.Add(sent)
	if _, err := from.Send(out); err != nil {
		t.Fatal(err)
	}
	n := recvAny(t, to, in)
	if data, segment := in.Message(0); n != 1 || segment != 100 || !bytes.Equal(data, sent) {
		t.Errorf("%d messages, the first of %d bytes in segments of %d", n, len(data), segment)
	}
}

func TestMostSegmentsLeaveAndOneMoreDoesNot(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{RecvBuffer: 4 << 20})
	most := needSegments(t, from)
	out, in, sent := sendBatch(t, 1, 4), recvBatch(t, 256, 64), slab(t, 2*MaxSegments, 3)
	out.Begin(nil, 1)
	if !out.Add(sent[:most]) {
		t.Fatal("refused")
	}
	if n, err := from.Send(out); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := recvAll(t, to, in, most); len(got) != most {
		t.Errorf("%d datagrams, want %d", len(got), most)
	}
	out.Reset()
	out.Begin(nil, 1)
	if !out.Add(sent[:MaxSegments]) || out.Add(sent[:1]) {
		t.Errorf("a batch takes other than %d segments", MaxSegments)
	}
	out.room = 1 // what Add would never let through, the kernel refuses
	if !out.Add(sent[200:201]) {
		t.Fatal("refused")
	}
	if _, err := from.Send(out); !errors.Is(err, ErrSegments) || out.Unsent() != 1 {
		t.Errorf("129 segments: %v, %d unsent", err, out.Unsent())
	}
}

func TestRefusedMessageIsSkippedAndTheRestLeaves(t *testing.T) {
	to, from := udpPair(t, loop6, UDPOptions{})
	out, in, sent := sendBatch(t, 3, 3), recvBatch(t, 4, 64), slab(t, 1<<17, 3)
	for i := range 3 {
		if !out.Begin(nil, 0) {
			t.Fatal("no room")
		}
		if i == 1 {
			out.room = len(sent)
			out.Add(sent) // what Add would never let through
			continue
		}
		out.Add(sent[i : i+1])
	}
	if n, err := from.Send(out); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := from.Send(out); n != 0 || !errors.Is(err, ErrTooBig) || out.Unsent() != 2 {
		t.Fatal(n, err, out.Unsent())
	}
	if n := out.Skip(); n != 1 {
		t.Errorf("one datagram was skipped as %d", n)
	}
	if n, err := from.Send(out); n != 1 || err != nil || out.Unsent() != 0 {
		t.Fatal(n, err)
	}
	if got := recvAll(t, to, in, 2); len(got) != 2 || got[0][0] != sent[0] || got[1][0] != sent[2] {
		t.Errorf("%v", got)
	}
	if skipped := out.Skip(); skipped != 0 {
		t.Errorf("%d datagrams of nothing were skipped", skipped)
	}
	if n, err := from.Send(out); n != 0 || err != nil || out.Unsent() != 0 {
		t.Errorf("an empty batch: %d, %v", n, err)
	}
	out.Reset()
	if !out.Begin(nil, 100) || !out.Add(sent[:150]) || !out.Add(sent[1000:1100]) {
		t.Fatal("no room")
	}
	if n := out.Skip(); n != 3 || out.Unsent() != 0 {
		t.Errorf("250 bytes in segments of 100 were skipped as %d datagrams", n)
	}
}

func TestDatagramsAreRefusedBySizeOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		to, from := udpPair(t, loopback, UDPOptions{RecvBuffer: 1 << 20})
		in, sent := recvBatch(t, 1, 1<<16), slab(t, MaxDatagram+100, 1)
		for _, n := range []int{0, 1, MaxDatagram} {
			if err := from.SendOne(sent[:n]); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			recvAny(t, to, in)
			if data, segment := in.Message(0); !bytes.Equal(data, sent[:n]) || segment != n {
				t.Errorf("%d of %d bytes arrived, segments of %d", len(data), n, segment)
			}
		}
		if err := from.SendOne(sent[:MaxDatagram+21]); !errors.Is(err, ErrTooBig) {
			t.Error(err)
		}
	})
}

func TestStrictPathRefusesWhatItWouldCut(t *testing.T) {
	to := openUDP(t, UDPOptions{Bind: loop4})
	from := openUDP(t, UDPOptions{Connect: to.Local(), PathMTU: PathMTUStrict})
	mtu, err := from.MTU()
	if err != nil || mtu > 1<<16 {
		t.Fatal(mtu, err)
	}
	if mtu-28 > MaxDatagram {
		mtu = MaxDatagram + 28
	}
	if err := from.SendOne(make([]byte, mtu-28)); err != nil {
		t.Error(err)
	}
	if err := from.SendOne(make([]byte, mtu-28+1)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
}

func TestFullSendBufferSaysAgainUntilThereIsRoom(t *testing.T) {
	ownNetns(t)
	gone := silentNeighbours(t) // whoever is sent to never answers ARP, so datagrams pile up
	u := openUDP(t, UDPOptions{Connect: netip.MustParseAddrPort("10.77.0.2:9"), SendBuffer: 1})
	out, sent := sendBatch(t, 64, 64), slab(t, 1024, 1)
	for range 64 {
		out.Begin(nil, 0)
		out.Add(sent)
	}
	if n, err := u.Send(out); err != nil || n == 0 || n == 64 {
		t.Fatal(n, err)
	}
	if n, err := u.Send(out); n != 0 || !errors.Is(err, ErrAgain) {
		t.Fatal(n, err)
	}
	if err := u.SendOne(sent); !errors.Is(err, ErrAgain) {
		t.Fatal(err)
	}
	gone()
	if err := u.Wait(patience, true); err != nil {
		t.Fatal(err)
	}
	if err := u.SendOne(sent); err == nil || errors.Is(err, ErrAgain) {
		t.Errorf("with the device gone and the buffer free: %v", err)
	}
}

// silentNeighbours makes an Ethernet device with the network 10.77.0.0/24 on which nobody is. gone removes it.
func silentNeighbours(t *testing.T) (gone func()) {
	t.Helper()
	tap, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("needs a TAP device: %v", err)
	}
	gone = sync.OnceFunc(func() {
		if err := unix.Close(tap); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(gone)
	ifr, err := unix.NewIfreq("silent")
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tap, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
	setInterface(t, "silent", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{10, 77, 0, 1}) })
	setInterface(t, "silent", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) })
	setInterface(t, "silent", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil })
	return gone
}

func TestShortPathTellsWhatItDoesNotTake(t *testing.T) {
	ownNetns(t)
	setInterface(t, "lo", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(1500); return nil })
	to, from := udpPair(t, loop4, UDPOptions{})
	needSegments(t, from)
	if mtu, err := from.MTU(); mtu != 1500 || err != nil {
		t.Fatal(mtu, err)
	}
	out, mem := sendBatch(t, 1, 1), slab(t, 60_000, 1)
	for _, segment := range []int{1472, 1473} {
		out.Reset()
		out.Begin(nil, segment)
		out.Add(mem[:3000])
		n, err := from.Send(out)
		if fits := segment == 1472; fits && (n != 1 || err != nil) || !fits && !errors.Is(err, ErrTooBig) && !errors.Is(err, ErrSegments) {
			t.Errorf("segments of %d bytes: %d, %v", segment, n, err)
		}
	}
	in := recvBatch(t, 8, 1500)
	if got := recvAll(t, to, in, 3000); len(got) != 3 || len(got[0]) != 1472 {
		t.Errorf("%d datagrams", len(got))
	}
	// A datagram in fragments is built whole, and must fit into the send buffer twice over.
	small := openUDP(t, UDPOptions{Connect: to.Local(), SendBuffer: 1})
	if err := small.SendOne(mem); !errors.Is(err, ErrNoBuffers) {
		t.Errorf("60,000 bytes in fragments: %v", err)
	}
	if err := small.SendOne(mem[:100]); err != nil {
		t.Error(err)
	}
}

func TestBatchKeepsItsBounds(t *testing.T) {
	mem := slab(t, MaxDatagram+2, 1)
	b := sendBatch(t, 2, 3)
	if b.Add(mem[:1]) || b.Add(nil) {
		t.Error("a piece before any message")
	}
	for _, segment := range []int{-1, MaxDatagram + 1} {
		if b.Begin(nil, segment) {
			t.Errorf("segments of %d bytes", segment)
		}
	}
	if !b.Begin(nil, 0) || !b.Add(mem[:MaxDatagram]) || b.Add(mem[MaxDatagram:MaxDatagram+1]) || b.Add(mem[:1]) {
		t.Error("not exactly MaxDatagram")
	}
	if !b.Begin(nil, 0) || !b.Add(mem[0:1]) || !b.Add(mem[2:3]) || b.Add(mem[4:5]) || !b.Add(mem[3:4]) {
		t.Error("not exactly three pieces, or a neighbour took room")
	}
	if b.Begin(nil, 0) || b.Len() != 2 || b.Unsent() != 2 {
		t.Error("a third message")
	}
	if b.Reset(); b.Len() != 0 || !b.Begin(nil, 0) {
		t.Error("not empty after Reset")
	}
	for _, c := range [][2]int{{0, 1}, {MaxMessages + 1, 2000}, {2, 1}, {1, 1<<20 + 1}} {
		if b, err := NewSendBatch(c[0], c[1]); err == nil {
			t.Errorf("%v: made, %v", c, b.Close())
		}
	}
}

func TestRandomBatchesArriveAsWritten(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, gro := range []bool{false, true} {
		to, from := udpPair(t, loop4, UDPOptions{GRO: gro, RecvBuffer: 16 << 20})
		most := needSegments(t, from)
		mem, out, in := slab(t, 1<<20, seed), sendBatch(t, 16, 256), recvBatch(t, 64, 1<<16)
		for range 50 {
			out.Reset()
			var want [][]byte
			total := 0
			for range 1 + r.IntN(16) {
				segment := r.IntN(3) * (1 + r.IntN(1400))
				if !out.Begin(nil, segment) {
					break
				}
				var message []byte
				for range 1 + r.IntN(8) {
					n := 1 + r.IntN(900)
					at := r.IntN(len(mem) - n)
					if len(message)+n > most*max(segment, MaxDatagram/most) || segment > 0 && len(message)+n > segment*most {
						break
					}
					if out.Add(mem[at : at+n]) {
						message = append(message, mem[at:at+n]...)
					}
				}
				if len(message) == 0 {
					want = append(want, nil)
					continue
				}
				total += len(message)
				for size := segment; len(message) > 0; {
					if size == 0 {
						size = len(message)
					}
					n := min(size, len(message))
					want, message = append(want, message[:n:n]), message[n:]
				}
			}
			for out.Unsent() > 0 {
				if _, err := from.Send(out); err != nil {
					t.Fatal(err)
				}
			}
			got := recvAll(t, to, in, total)
			if !equalButEmpty(got, want) {
				t.Fatalf("GRO %t: %d datagrams, want %d, or other bytes", gro, len(got), len(want))
			}
		}
	}
}

// equalButEmpty compares datagrams and passes over empty ones.
func equalButEmpty(a, b [][]byte) bool {
	for {
		for len(a) > 0 && len(a[0]) == 0 {
			a = a[1:]
		}
		for len(b) > 0 && len(b[0]) == 0 {
			b = b[1:]
		}
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		if !bytes.Equal(a[0], b[0]) {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

func TestConnectedLaterSendsToItsPeerAndHearsNobodyElse(t *testing.T) {
	peer, other := openUDP(t, UDPOptions{Bind: loop4}), openUDP(t, UDPOptions{Bind: loop4})
	u := openUDP(t, UDPOptions{Bind: loop4})
	if err := u.Connect(peer.Local()); err != nil {
		t.Fatal(err)
	}
	in := recvBatch(t, 4, 64)
	to, err := AddressOf(u.Local())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.SendOneTo([]byte("not heard"), &to); err != nil {
		t.Fatal(err)
	}
	if err := peer.SendOneTo([]byte("heard"), &to); err != nil {
		t.Fatal(err)
	}
	if got := recvAll(t, u, in, 1); len(got) != 1 || string(got[0]) != "heard" {
		t.Errorf("%q", got)
	}
	if err := u.SendOne([]byte("back")); err != nil {
		t.Fatal(err)
	}
	if got := recvAll(t, peer, in, 1); len(got) != 1 || string(got[0]) != "back" {
		t.Errorf("%q", got)
	}
	if err := u.Connect(netip.AddrPort{}); err == nil {
		t.Error("nobody was taken for a peer")
	}
}
