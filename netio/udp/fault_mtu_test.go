package udp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/alphapulse/transport/seal"
)

const narrow = 1280 // bytes of the largest packet, once the path has shrunk

// troubles keeps what one end tells of its network.
type troubles struct {
	told      []string
	recovered int
}

func (s *troubles) add(e Event) {
	switch e.Kind {
	case Trouble:
		s.told = append(s.told, e.Err.Error())
	case Recovered:
		s.recovered++
	}
}

// named reports whether trouble was told, always with the channel's name.
func (s *troubles) named() bool {
	for _, text := range s.told {
		if !strings.Contains(text, `channel "signals"`) {
			return false
		}
	}
	return len(s.told) > 0
}

// sizes are of messages that fit the narrow path, that only the wide one takes whole, and that travel in parts on both.
var sizes = []int{64, 300, 1400, 1250, 5000, 40_000, 125_000}

// publishSizes publishes n messages of every size, and runs both ends until they have arrived.
func (b *labBed) publishSizes(n int) {
	b.t.Helper()
	for range n {
		for _, size := range sizes {
			b.all("room in the ring", b.beds, func() bool { return b.offer(size) })
		}
		b.turn(b.beds)
	}
}

// TestAPathThatShrinksUnderTheSenderIsTold lowers the MTU of the sender's device, and of the other end, while envelopes of the old size are
// in the sender's batch and in the ring. The next ones are as large as the path takes, not smaller, and all arrive.
func TestAPathThatShrinksUnderTheSenderIsTold(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			var sent troubles
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Reliability: Repaired, Secret: key, Events: sent.add},
				ReceiverOptions{Reliability: Repaired, Secret: key})
			if b.send.Features().Segments == 0 {
				t.Skip("this kernel cuts no segments: it cuts too large a datagram into fragments without a word")
			}
			one := b.beds[0]
			b.publishSizes(5)
			b.all("a start", b.beds, b.send.Drained)
			for b.offer(1400) { // more than a batch
			}
			must(t, b.lab.MTU("tx", narrow))
			must(t, b.lab.MTU("rx0", narrow))
			b.publishSizes(10)
			b.all("delivery", b.beds, b.send.Drained)
			one.verify(1, b.pub.Seq()-1, false)
			if s := b.recv.tally.Stats; s.Lost != 0 {
				t.Errorf("lost %d", s.Lost)
			}
			to := b.send.options.Lines[0].To.Addr()
			if s := b.send.tally.Stats; s.Dropped[Unsendable] == 0 || !sent.named() || sent.recovered != len(sent.told) {
				t.Errorf("%d envelopes were refused; told: %q, %d times recovered", s.Dropped[Unsendable], sent.told, sent.recovered)
			}
			if got := b.send.wires[0].room; got != room(narrow, to) {
				t.Errorf("datagrams of up to %d bytes, the path takes %d", got, room(narrow, to))
			}
		})
	}
}

// TestAPathThatDropsLargePacketsIsFoundOut lowers only the MTU of the far end: what is larger vanishes, and nobody is told, as in a tunnel.
func TestAPathThatDropsLargePacketsIsFoundOut(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			var sent troubles
			plain := Socket{NoOffload: true} // messages of segments would pass
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Reliability: Repaired, Secret: key, Heartbeat: cutHeartbeat, Liveness: cutLiveness,
				Events: sent.add, Socket: plain}, ReceiverOptions{Reliability: Repaired, Secret: key, Liveness: cutLiveness, Socket: plain})
			one := b.beds[0]
			b.publishSizes(5)
			b.all("a start", b.beds, b.send.Drained)
			must(t, b.lab.MTU("rx0", narrow))
			b.publishSizes(10)
			b.all("delivery", b.beds, b.send.Drained)
			one.verify(1, b.pub.Seq()-1, false)
			if s := b.recv.tally.Stats; s.Lost != 0 || len(sent.told) != 1 || !sent.named() || sent.recovered != 1 {
				t.Errorf("lost %d; told %q, recovered %d times", s.Lost, sent.told, sent.recovered)
			}
			to := b.send.options.Lines[0].To.Addr()
			if got := b.send.wires[0].room; got > room(narrow, to) || got < room(MinMTU, to) {
				t.Errorf("datagrams of up to %d bytes, the path takes %d", got, room(narrow, to))
			}
		})
	}
}
