package udp

import (
	"math"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
)

// TestTwoLinesLoseTheProductOfTheirLosses: first arrival wins, whatever its line, so that only what both lines lose is lost.
func TestTwoLinesLoseTheProductOfTheirLosses(t *testing.T) {
	const loss = 0.05
	viaA, _ := relay(t, 3, "loss=5%", "loss=0%")
	viaB, _ := relay(t, 4, "loss=5%,delay=1ms", "loss=0%")
	ro := ReceiverOptions{Apart: 5 * time.Second, Liveness: 10 * time.Second, Lines: []Listen{{Bind: anyPort()}, {Bind: anyPort()}}}
	b := &bed{t: t}
	b.source = mustRing(t, ringOptions)
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	b.listen(ro)
	b.send, err = NewSender(SenderOptions{Channel: "signals", Separate: true,
		Lines: []Dial{{To: viaA(b.recv.Local(0))}, {To: viaB(b.recv.Local(1))}}})
	must(t, err)
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	total := scaled(40000)
	for i := 0; i < total; i += 20 {
		b.publish(20, 64)
		for b.step(); len(b.recv.all) > 0 && b.pub.Seq()-b.recv.all[0].next > 300; { // the relays' sockets are small
			b.step()
		}
	}
	b.until("the end", func() bool { return b.settled(uint64(total)) })
	b.verify(b.got[0].seq, uint64(total), true)
	first := b.got[0].seq
	due := float64(uint64(total) - first + 1)
	missing := due - float64(len(b.got))
	s := b.recv.Stats()
	if uint64(missing) != s.Lost {
		t.Errorf("%v missing, receiver says %d", missing, s.Lost)
	}
	// Within five standard deviations of the binomial.
	mean := due * loss * loss
	if dev := 5*math.Sqrt(mean) + 3; math.Abs(missing-mean) > dev {
		t.Errorf("%v of %v frames missing, want about %.1f ± %.1f", missing, due, mean, dev)
	}
	skew := time.Duration(0)
	for _, l := range b.recv.Lines() {
		share := float64(l.Lost) / due
		if share < 0.03 || share > 0.07 {
			t.Errorf("line %d lost %.3f of its frames, want about 0.05", l.Path, share)
		}
		skew += l.Skew
		t.Logf("line %d: %+v", l.Path, l)
	}
	if skew <= 0 { // whichever it was that came behind
		t.Error("no line says that it is behind")
	}
	t.Logf("%v of %v missing (%.4f)", missing, due, missing/due)
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
