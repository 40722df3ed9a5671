package udp

import (
	"testing"
	"time"
)

// What a receiver says while the sender is not run is not silence.
func TestSenderThatStoodStillDropsNobody(t *testing.T) {
	var told events
	b := newCrowd(t, ringOptions, SenderOptions{Events: told.add}, nil, ReceiverOptions{}, ReceiverOptions{})
	b.rounds("two receivers", 1000, b.met(2), b.beds...)
	b.publish(10, 64)
	b.rounds("delivery", 1000, b.send.Drained, b.beds...)
	for range 3 {
		for range 2 * DefaultLiveness / time.Millisecond {
			b.now = b.now.Add(time.Millisecond)
			for _, one := range b.beds {
				one.recv.SetNow(b.now)
				_, err := one.recv.Do()
				must(t, err)
			}
		}
		b.publish(1, 64)
		b.rounds("delivery", 1000, b.send.Drained, b.beds...)
	}
	if told.count(Disconnected) != 0 {
		t.Errorf("told %v", told)
	}
}
