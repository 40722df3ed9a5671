package udp

import "testing"

// TestAFrameLargerThanABatchIsRepaired loses parts of frames that take more than one batch of the sender.
func TestAFrameLargerThanABatchIsRepaired(t *testing.T) {
	for name, options := range variants(t) {
		t.Run(name, func(t *testing.T) {
			so, ro := options()
			so.Reliability, ro.Reliability = Repaired, Repaired
			via, _ := relay(t, 9, "loss=5%", "loss=5%")
			b := newBed(t, so, ro, via)
			const total = 20
			for i := range total {
				b.publish(1, 130_000-100*i)
				b.step()
			}
			b.until("delivery", func() bool { return len(b.got) == total })
			b.verify(1, total, false)
		})
	}
}
