package udp

import (
	"context"
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/internal/simnet"
)

// relay puts a bad network between the two ends of a bed.
func relay(t testing.TB, seed uint64, up, down string) (via func(netip.AddrPort) netip.AddrPort, r **simnet.Relay) {
	t.Helper()
	r = new(*simnet.Relay)
	return func(to netip.AddrPort) netip.AddrPort {
		fu, err := simnet.ParseFaults(up)
		must(t, err)
		fd, err := simnet.ParseFaults(down)
		must(t, err)
		one, err := simnet.New(simnet.Config{Target: to, Seed: seed, Up: fu, Down: fd})
		must(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- one.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			<-done
			must(t, one.Close())
		})
		*r = one
		t.Logf("seed %d", seed)
		return one.Addr()
	}, r
}

func TestRepairedChannelDeliversAllThroughABadNetwork(t *testing.T) {
	for _, faults := range []string{"loss=0.1%", "loss=1%", "loss=10%", "loss=30%", "reorder=5%,dup=5%,jitter=2ms", "corrupt=2%,truncate=2%,loss=2%,dup=2%,reorder=5%"} {
		for name, options := range variants(t) {
			t.Run(faults+", "+name, func(t *testing.T) {
				so, ro := options()
				if so.Secret == nil && faults[0] == 'c' {
					return // what is not sealed is believed
				}
				so.Reliability, ro.Reliability = Repaired, Repaired
				via, _ := relay(t, 7, faults, faults)
				b := newBed(t, so, ro, via)
				const total = 1000
				for i := 0; i < total; i += 50 {
					b.publish(50, 40+i%700)
					b.step()
				}
				b.publish(10, 5000)
				b.until("delivery", func() bool { return len(b.got) == total+10 })
				b.verify(1, total+10, false)
				b.until("confirmation", b.send.Drained)
				s, r := b.send.Stats(), b.recv.Stats()
				t.Logf("sent %d datagrams, again %d frames, naks %d/%d, dropped %v", s.Datagrams, s.Again, r.Naks, s.Naks, r.Dropped)
			})
		}
	}
}

func TestBestEffortCountsExactlyWhatIsMissing(t *testing.T) {
	for _, faults := range []string{"loss=0.1%", "loss=1%", "loss=10%", "loss=30%", "loss=5%,reorder=5%,dup=5%"} {
		t.Run(faults, func(t *testing.T) {
			via, _ := relay(t, 11, faults, "loss=0%")
			b := newBed(t, SenderOptions{Separate: true}, ReceiverOptions{}, via)
			const total = 5000
			for i := 0; i < total; i += 50 {
				b.publish(50, 64)
				b.step()
			}
			first := uint64(0)
			b.until("the end", func() bool {
				for _, s := range b.recv.streams {
					return s.next == total+1 && s.stash.empty()
				}
				return false
			})
			b.verify(b.got[0].seq, total, true)
			first = b.got[0].seq
			s := b.recv.Stats()
			missing := total - first + 1 - uint64(len(b.got))
			if s.Lost != missing || s.Drops(Missing) != missing || b.mirrors[0].Lost() > missing || s.Frames != uint64(len(b.got)) {
				t.Errorf("%d missing; receiver says %+v, its mirror %d", missing, s, b.mirrors[0].Lost())
			}
		})
	}
}
