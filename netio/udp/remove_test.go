package udp

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Two senders of one name hand a ring to each other while its messages are on their way.
func TestARingChangesSendersWithoutLossOrRepeat(t *testing.T) {
	dir := t.TempDir()
	o := SenderOptions{Reliability: Repaired, Name: "to left"}
	b := newBedOf(t, ring.Options{Path: filepath.Join(dir, "out", "feed.0.ring")}, o,
		ReceiverOptions{Reliability: Repaired, Inbox: netio.InboxOptions{Dir: filepath.Join(dir, "in")}}, nil)
	o.Channel, o.Lines = "signals", []Dial{{To: b.recv.Local(0)}}
	other, err := NewSender(o)
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	total, seed := 0, rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 1))
	for range max(scaled(400), 40) {
		n := draw.IntN(60)
		b.publish(n, 8+draw.IntN(3000))
		total += n
		for range draw.IntN(4) {
			b.step()
		}
		done := false
		b.until("leave", func() bool {
			var err error
			done, err = b.send.Remove(b.source)
			must(t, err)
			return done
		})
		must(t, other.Add(b.source))
		b.send, other = other, b.send
	}
	b.until("delivery", func() bool { return len(b.got) == total && b.send.Drained() })
	b.verify(1, uint64(total), false)
	if again, err := other.Remove(b.source); !again || err != nil {
		t.Errorf("a ring that it does not have: %t, %v", again, err)
	}
}

// A sealed ring comes back to a sender whose former session with the receiver was long: the new one counts from one again, behind all that
// the receiver has heard, and is asked for nevertheless.
func TestASealedRingComesBackAfterALongSession(t *testing.T) {
	secret := seal.NewSecret()
	for name, messages := range map[string]int{"within the replay window": 300, "beyond it": 10_000} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &secret}, ReceiverOptions{Reliability: Repaired, Secret: &secret}, nil)
			b.pass(0)
			b.publish(messages, 1300) // each has a datagram of its own
			b.until("delivery", func() bool { return len(b.got) == messages && b.send.Drained() })
			done := false
			b.until("leave", func() bool {
				var err error
				done, err = b.send.Remove(b.source)
				must(t, err)
				return done
			})
			must(t, b.send.Add(b.source))
			began := b.now
			b.publish(10, 64)
			b.until("delivery", func() bool { return len(b.got) == messages+10 && b.send.Drained() })
			b.verify(1, uint64(messages)+10, false)
			if took := b.now.Sub(began); took > DefaultHeartbeat*2 {
				t.Errorf("it took %s", took)
			}
		})
	}
}
