package udp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/seal"
)

// judged is how many of the datagrams that arrived must have been refused, and how many may have been.
type judged struct{ least, most uint64 }

// judge compares what arrived with what was sent. A sealed envelope that is not whole, or is there a second time, is to be refused. Damage to
// padding may go unseen; so may damage to a hello, which claims nothing, and a hello may be repeated. Of several true announces that answer
// one question the first counts. A hello for a source that damage made up is refused.
func judge(sent, arrived [][]byte, source uint64) (j judged) {
	times := map[string]int{} // that an envelope arrived
	var h seal.Header
	for _, d := range sent {
		if h.Parse(d) == nil {
			times[string(d[:seal.HeaderSize+h.Length])] = 0
		}
	}
	for _, d := range arrived {
		if len(d) == 0 {
			j.most++ // nothing is not refused
			continue
		}
		end := seal.HeaderSize
		if h.Parse(d) != nil {
			h = seal.Header{}
		}
		end = min(end+h.Length, len(d))
		n, whole := times[string(d[:end])]
		if len(bytes.TrimLeft(d[end:], "\x00")) > 0 {
			j.most++ // what follows is no padding
		}
		switch {
		case !whole && h.Kind == seal.HelloKind:
			j.most++
			continue
		case !whole:
			j.add()
			continue
		case h.Kind == seal.HelloKind && h.Source != source, h.Kind != seal.HelloKind && n > 0:
			j.add()
		case h.Kind == seal.Announced:
			j.most++
		}
		times[string(d[:end])]++
	}
	return j
}

func (j *judged) add() { j.least, j.most = j.least+1, j.most+1 }

// refused is how many envelopes or datagrams an end has counted as not to be believed.
func refused(s *Stats) (n uint64) {
	for _, r := range []Reason{Malformed, Truncated, ForeignChannel, ForeignSource, Misplaced, OldEpoch, NoSession, Forged, Replayed, OldKey, TooLarge} {
		n += s.Dropped[r]
	}
	return n
}

// TestASealedChannelDeliversAllThroughEveryFaultAtOnce reorders, repeats, damages, cuts and delays what both ends say. Everything arrives once
// and in order, and each end counts what it refuses: exactly what was not as it had been sent, or had been there.
func TestASealedChannelDeliversAllThroughEveryFaultAtOnce(t *testing.T) {
	const faults = "jitter=50ms,loss=2%,reorder=5%/20,dup=4%,corrupt=4%,truncate=4%"
	for _, suite := range []seal.Suite{seal.ChaCha20Poly1305, seal.AES128GCM} {
		t.Run(suite.String(), func(t *testing.T) {
			secret := seal.NewSecret()
			var near, far tap
			via, net := relay(t, 13, "loss=0%", "loss=0%")
			through := func(to netip.AddrPort) netip.AddrPort { return near.via(t)(via(far.via(t)(to))) }
			plain := Socket{NoOffload: true} // one envelope a datagram
			b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &secret, Suite: suite, Separate: true, Socket: plain},
				ReceiverOptions{Reliability: Repaired, Secret: &secret, Socket: plain}, through)
			b.publish(10, 64)
			b.until("a session", func() bool { return len(b.got) == 10 && b.send.Drained() })
			recvBefore, sendBefore := refused(&b.recv.tally.Stats), refused(&b.send.tally.Stats)
			before, _ := far.kept()
			_, saidBefore := near.kept()

			bad, err := simnet.ParseFaults(faults)
			must(t, err)
			must(t, (*net).Set(simnet.Both, bad))
			total := scaled(20_000) / 2
			for b.pub.Seq() <= uint64(total) {
				b.publish(10, 40+int(b.pub.Seq()%1000))
				b.until("room", func() bool { return b.pub.Seq()-b.recv.all[0].next < 1000 })
			}
			b.until("delivery", func() bool { return uint64(len(b.got)) == b.pub.Seq()-1 })
			b.until("confirmation", b.send.Drained)
			b.verify(1, b.pub.Seq()-1, false)

			// Each end takes what is still under way while the other is silent.
			var want judged
			source := b.send.feeds[0].source
			var got uint64
			told := b.alone(b.recv.Do, func() bool {
				sent, _ := near.kept()
				arrived, _ := far.kept()
				up, _ := (*net).Counters()
				want, got = judge(sent, arrived[len(before):], source), refused(&b.recv.tally.Stats)-recvBefore
				return up.Pending == 0 && got >= want.least && got <= want.most
			})
			if !told || want.least < uint64(total)/20 {
				t.Errorf("the receiver refused %d, %d to %d were to be refused: %v", got, want.least, want.most, b.recv.tally.Dropped)
			}
			told = b.alone(b.send.Do, func() bool {
				_, said := far.kept()
				_, arrived := near.kept()
				_, down := (*net).Counters()
				want, got = judge(said, arrived[len(saidBefore):], source), refused(&b.send.tally.Stats)-sendBefore
				over := b.send.tally.Dropped[OverBudget] // of receivers that damage made up
				return down.Pending == 0 && got+over >= want.least && got <= want.most
			})
			if !told || want.least == 0 {
				t.Errorf("the sender refused %d, %d to %d were to be refused: %v", got, want.least, want.most, b.send.tally.Dropped)
			}
		})
	}
}

// alone runs one end until ok, which is asked now and then, and reports whether that came about.
func (b *bed) alone(do func() (int, error), ok func() bool) bool {
	b.t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(end) {
			return false
		}
		for range 1000 {
			_, err := do()
			must(b.t, err)
		}
	}
	return true
}
