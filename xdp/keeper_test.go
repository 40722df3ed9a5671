package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/xdp/packet"
)

// The kernel may answer late what a hub asks about its interface, since it answers one question of the whole machine at a time. Datagrams come and go
// meanwhile, only a peer who is new waits, and what the kernel says in the end is heeded.
func TestAHubDoesNotWaitForTheKernelsAnswers(t *testing.T) {
	b := newBed(t, netlab.Options{})
	near, far := b.station("a", 7001, 7002), b.station("b", 7001, 7002)
	there := b.endAt(far, "b", 7001, b.lab.Addr("a"))
	here := b.endAt(near, "a", 7001, b.lab.Addr("b"))
	other := b.endAt(far, "b", 7002)

	gate, wrong := make(chan struct{}), errors.New("what the kernel says")
	near.keeper.stop()
	near.keeper.start(func(now time.Time) error {
		select {
		case <-gate:
			return wrong
		case <-time.After(patience):
			return errors.New("a question that the hub waits for")
		}
	})
	sayAll(t, here, there.Local(), "before")
	heardBy(t, there, 1)
	for end := time.Now().Add(patience); !near.away; { // it asks when it has heard nothing for a while
		if n, err := here.Receive(); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if time.Now().After(end) {
			t.Fatal("nothing was asked")
		}
	}
	for i := range 3 * wayTurns {
		text := fmt.Sprint("datagram ", i)
		sayAll(t, there, here.Local(), text)
		if got, _ := heardBy(t, here, 1); got[0] != text {
			t.Fatalf("%q", got)
		}
		sayAll(t, here, there.Local(), text)
		if got, _ := heardBy(t, there, 1); got[0] != text {
			t.Fatalf("%q", got)
		}
	}
	sayAll(t, here, netip.AddrPortFrom(b.lab.Addr("b"), 7002), "to a stranger")
	if n, why := here.Refused(); n != 1 || !errors.Is(why, packet.ErrPending) {
		t.Error(n, why)
	}
	if n, err := there.Receive(); n != 0 || err != nil { // what it was lent it gives back, so that others are dealt theirs
		t.Error(n, err)
	}
	if n, err := other.Receive(); n != 0 || err != nil {
		t.Error(n, err)
	}
	if !near.away {
		t.Fatal("somebody answered")
	}
	close(gate)
	for end := time.Now().Add(patience); ; {
		_, err := here.Receive()
		if errors.Is(err, wrong) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("the answer is not heeded: %v", err)
		}
	}
	sayAll(t, here, other.Local(), "to one who is no stranger any more")
	heardBy(t, other, 1)
}
