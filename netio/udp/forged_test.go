package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/seal"
)

// A forged datagram has a receiver ask for the session that it has. The answer may overtake frames that were sent before it.
func TestForgedDatagramLosesNothingUnderWay(t *testing.T) {
	b, p, _ := sealedBed(t, BestEffort)
	b.pass(0)
	for range 100 {
		b.step()
	}
	captured, _ := p.kept()
	n := len(captured)
	var forged []byte
	for _, d := range captured {
		if len(d) > 1000 {
			forged = append([]byte(nil), d...)
			forged[39] ^= 0x40 // another packet number
		}
	}
	b.inject(forged)
	b.publish(1, 200)
	var announce, data []byte
	for k := 0; announce == nil || data == nil; k++ {
		b.pass(time.Millisecond)
		_, err := b.send.Do()
		must(t, err)
		captured, _ = p.kept()
		for _, d := range captured[n:] {
			if seal.Kind(d[1]) == seal.Announced {
				announce = d
			} else if len(d) > 200 {
				data = d
			}
		}
		if k > 100_000 {
			t.Fatalf("no answer: %+v", b.recv.tally.Stats)
		}
	}
	b.inject(announce)
	before := b.recv.tally.Frames
	b.inject(data)
	if b.recv.tally.Frames != before+1 {
		t.Errorf("%+v", b.recv.tally.Stats)
	}
}
