package udp

import (
	"bytes"
	"math"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/seal"
)

// ferry is one line's network, run by the test step by step: what a step sends arrives late steps after it, unless the script loses it.
type ferry struct {
	t         testing.TB
	near, far *net.UDPConn
	script    *simnet.Script
	late      int
	taken     uint64     // datagrams that the sender has sent
	brought   uint64     // and that the receiver has got
	waits     [][][]byte // by step
	lost      map[uint64]bool
}

func newFerry(t testing.TB, seed uint64, late int, to netip.AddrPort) *ferry {
	f := &ferry{t: t, script: simnet.NewScript(seed, simnet.Up, simnet.Faults{}), late: late, lost: map[uint64]bool{}}
	var err error
	f.near, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(anyPort()))
	must(t, err)
	f.far, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	must(t, err)
	t.Cleanup(func() { must(t, f.near.Close()); must(t, f.far.Close()) })
	return f
}

// step takes what has been sent, sent datagrams in all, and lets arrive what is due.
func (f *ferry) step(sent uint64) {
	f.t.Helper()
	var buf [2048]byte
	var passed [][]byte
	must(f.t, f.near.SetReadDeadline(time.Now().Add(10*time.Second)))
	for ; f.taken < sent; f.taken++ {
		n, _, err := f.near.ReadFromUDPAddrPort(buf[:])
		must(f.t, err)
		if f.script.Next(0, n).Verdict == simnet.Passed {
			passed = append(passed, bytes.Clone(buf[:n]))
			continue
		}
		var h seal.Header
		must(f.t, h.Parse(buf[:n]))
		if h.Kind == seal.Data {
			f.lost[h.Seq] = true
		}
	}
	if f.waits = append(f.waits, passed); len(f.waits) <= f.late {
		return
	}
	for _, d := range f.waits[0] {
		_, err := f.far.Write(d)
		must(f.t, err)
		f.brought++
	}
	f.waits = f.waits[1:]
}

// ferried is a bed whose lines are ferries and whose clock is the test's.
type ferried struct {
	*bed
	lines []*ferry
}

func newFerried(t testing.TB, late [2]int, ro ReceiverOptions) *ferried {
	b := &ferried{}
	ro.Lines = twoLines()
	b.bed = newBed(t, SenderOptions{Separate: true, Socket: Socket{NoOffload: true}}, ro, func(to netip.AddrPort) netip.AddrPort {
		i := len(b.lines)
		b.lines = append(b.lines, newFerry(t, uint64(3+i), late[i], to))
		return b.lines[i].near.LocalAddr().(*net.UDPAddr).AddrPort()
	})
	return b
}

// step lets a millisecond go by: what is sent goes aboard, and what is due arrives and is taken.
func (b *ferried) step() {
	b.t.Helper()
	b.pass(time.Millisecond)
	_, err := b.send.Do()
	must(b.t, err)
	brought := uint64(0)
	for _, f := range b.lines {
		f.step(b.send.Datagrams / uint64(len(b.lines)))
		brought += f.brought
	}
	for end := time.Now().Add(10 * time.Second); ; {
		_, err := b.recv.Do()
		must(b.t, err)
		if b.recv.tally.Datagrams == brought {
			break
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d of %d datagrams arrived", b.recv.tally.Datagrams, brought)
		}
	}
	b.poll()
}

// settle steps until nothing more is to come.
func (b *ferried) settle() {
	b.t.Helper()
	for range 1000 {
		if b.step(); b.settled(b.pub.Seq() - 1) {
			return
		}
	}
	b.t.Fatalf("not settled after a second: %+v", b.recv.Stats())
}

// TestTwoLinesLoseTheProductOfTheirLosses: first arrival wins, whatever its line, so that only what both lines lose is lost. The test
// is the network and the clock, and so every count is exact: what is lost, which line brings a frame first, how far one is behind.
func TestTwoLinesLoseTheProductOfTheirLosses(t *testing.T) {
	for name, late := range map[string][2]int{"side by side": {0, 0}, "the second behind": {0, 1}, "the first far behind": {10, 0}} {
		t.Run(name, func(t *testing.T) { ferryLossy(t, late) })
	}
}

func ferryLossy(t *testing.T, late [2]int) {
	const loss, each = 0.05, 20
	var told events
	b := newFerried(t, late, ReceiverOptions{Apart: 5 * time.Second, Liveness: 10 * time.Second, Events: told.add})
	b.publish(1, 64) // with it both lines begin
	b.settle()
	for range 2 * max(late[0], late[1]) {
		b.step()
	}
	for _, f := range b.lines {
		f.script.Set(0, simnet.Faults{Loss: loss})
	}
	for range scaled(40_000) / each {
		b.publish(each, 64)
		b.step()
	}
	b.settle()
	total := b.pub.Seq() - 1
	b.verify(1, total, true)

	var both, gaps []uint64
	for seq := uint64(1); seq <= total; seq++ {
		if b.lines[0].lost[seq] && b.lines[1].lost[seq] {
			both = append(both, seq)
		}
	}
	for _, e := range told {
		for seq := e.First; e.Kind == Gap && seq <= e.Last; seq++ {
			gaps = append(gaps, seq)
		}
	}
	if s := b.recv.tally.Stats; !slices.Equal(gaps, both) || s.Lost != uint64(len(both)) || uint64(len(b.got)+len(both)) != total {
		t.Errorf("%d of %d came; both lines lost %d, the receiver says %d and tells %d", len(b.got), total, len(both), s.Lost, len(gaps))
	}
	// Within five standard deviations of the binomial.
	mean := float64(total) * loss * loss
	if dev := 5*math.Sqrt(mean) + 3; math.Abs(float64(len(both))-mean) > dev || len(both) == 0 {
		t.Errorf("%d of %d frames missing, want about %.1f ± %.1f", len(both), total, mean, dev)
	}

	lines := b.recv.Lines()
	if len(lines) != 2 || lines[0].Wins+lines[1].Wins != uint64(len(b.got)) {
		t.Fatalf("%d frames came first, by lines %+v", len(b.got), lines)
	}
	for i, l := range lines {
		lost := uint64(len(b.lines[i].lost))
		skew := time.Duration(max(late[i]-late[1-i], 0)) * time.Millisecond
		if l.Path != i || l.Lost != lost || l.Frames != total-lost || l.Skew != skew {
			t.Errorf("%+v, %d are lost, behind by %s", l, lost, skew)
		}
		if late[i] < late[1-i] && l.Wins != total-lost {
			t.Errorf("%+v, it is ahead with %d frames", l, total-lost)
		}
	}
}

// settled reports whether nothing more is to come before number last.
func (b *bed) settled(last uint64) bool {
	for _, s := range b.recv.all {
		return s.next == last+1 && s.stash.empty()
	}
	return false
}

// A receiver is one receiver on all its lines, sealed or not: when one line goes dead nobody is missed, and nothing waits for its liveness.
func TestReceiverIsOneOnAllItsLines(t *testing.T) {
	for name, options := range variants(t) {
		t.Run(name, func(t *testing.T) {
			so, ro := options()
			so.Reliability, ro.Reliability = Repaired, Repaired
			var sent events
			so.Events = sent.add
			ro.Lines = []Listen{{Bind: anyPort()}, {Bind: anyPort()}}
			viaA, netA := relay(t, 3, "loss=0%", "loss=0%")
			b := &bed{t: t}
			b.source = mustRing(t, ringOptions)
			var err error
			b.pub, err = b.source.Writer()
			must(t, err)
			b.listen(ro)
			so.Channel, so.Lines = "signals", []Dial{{To: viaA(b.recv.Local(0))}, {To: b.recv.Local(1)}}
			b.send, err = NewSender(so)
			must(t, err)
			t.Cleanup(func() { must(t, b.send.Close()) })
			must(t, b.send.Add(b.source))
			until := func(d time.Duration) {
				for end := time.Now().Add(d); time.Now().Before(end); {
					b.publish(5, 100)
					b.step()
				}
			}
			until(50 * time.Millisecond)
			b.until("delivery", b.send.Drained)
			if r := b.send.feeds[0].receivers; len(r) != 1 || r[0].id != b.recv.id {
				t.Fatalf("one receiver that speaks on two lines is known as %+v", r)
			}
			(*netA).Partition(simnet.Both, true)
			until(2 * DefaultLiveness)
			b.until("delivery", b.send.Drained)
			b.verify(1, b.pub.Seq()-1, false)
			if sent.count(Connected) != 1 || sent.count(Disconnected) != 0 {
				t.Errorf("the sender tells %+v", sent)
			}
		})
	}
}

// What comes in parts counts as what comes whole, and each line says who speaks there.
func TestLinesCountFramesInParts(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{Lines: []Listen{{Bind: anyPort()}, {Bind: anyPort()}}}, nil)
	b.publish(20, 5000)
	b.until("delivery", func() bool { return len(b.got) == 20 })
	b.until("both lines' end", func() bool { return b.recv.all[0].paths[0].top == 21 && b.recv.all[0].paths[1].top == 21 })
	for _, l := range b.recv.Lines() {
		if l.Lost != 0 || l.Frames != 20 || l.From != b.send.Local(l.Path) {
			t.Errorf("%+v", l)
		}
	}
}
