package udp

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// hostBed is a sender and several receivers of one group on one host, which share the group's port. One thread runs all of them, and
// lends them a time that moves by a step a cycle, so that how long anybody waits does not depend on the machine.
type hostBed struct {
	*bed
	beds    []*bed // one per receiver, for what it got
	now     time.Time
	size    int // of messages
	full    int // messages that found the ring full
	moved   time.Time
	frames  uint64
	blocked time.Duration // the longest time without a step while something waited
}

const cycleStep = 20 * time.Microsecond

// newHostBed opens both ends on loopback; each completes the options of a receiver.
func newHostBed(t *testing.T, receivers, capacity int, so SenderOptions, each func(i int, o *ReceiverOptions)) *hostBed {
	t.Helper()
	group := netip.MustParseAddr("239.77.7.10")
	b := &hostBed{bed: &bed{t: t}, size: 64}
	b.source = mustRing(t, ring.Options{Capacity: capacity})
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	for i := range receivers {
		one := &bed{t: t}
		b.beds = append(b.beds, one)
		o := ReceiverOptions{Channel: "signals", Reliability: Repaired, Lines: []Listen{{Bind: at, Group: group, Interface: "lo"}}}
		o.Socket.ReusePort = true
		o.Inbox.Opened = func(r *ring.Ring) {
			reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
			must(t, err)
			one.mirrors = append(one.mirrors, reader)
		}
		each(i, &o)
		one.recv, err = NewReceiver(o)
		must(t, err)
		at = one.recv.Local(0)
		t.Cleanup(func() {
			for _, m := range one.mirrors {
				must(t, m.Close())
			}
			must(t, one.recv.Close())
		})
	}
	so.Channel, so.Reliability, so.Socket.Loopback = "signals", Repaired, true
	so.Lines = []Dial{{To: netip.AddrPortFrom(group, at.Port()), Interface: "lo"}}
	b.send, err = NewSender(so)
	must(t, err)
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	b.now = time.Now()
	b.moved = b.now
	return b
}

// cycle runs the sender and these receivers once, and polls the mirrors of the latter.
func (b *hostBed) cycle(run []*bed) {
	b.t.Helper()
	b.now = b.now.Add(cycleStep)
	b.send.SetNow(b.now)
	_, err := b.send.Do()
	must(b.t, err)
	if b.send.Frames != b.frames || b.pub.Seq() == b.send.Frames+1 {
		b.moved, b.frames = b.now, b.send.Frames
	}
	b.blocked = max(b.blocked, b.now.Sub(b.moved))
	for _, one := range run {
		one.recv.SetNow(b.now)
		_, err := one.recv.Do()
		must(b.t, err)
		one.poll()
	}
}

// publishFor publishes a message every cycle for d of the lent time, and drops those that find the ring full.
func (b *hostBed) publishFor(d time.Duration, run []*bed) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); b.cycle(run) {
		_, err := b.pub.Claim(b.size)
		if errors.Is(err, ring.ErrFull) {
			b.full++
			continue
		}
		must(b.t, err)
		b.pub.Abort()
		b.publish(1, b.size)
	}
}

// until runs cycles until ok.
func (b *hostBed) until(what string, run []*bed, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); b.cycle(run) {
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come about: sender %+v, receivers %+v", what, b.send.Stats(), b.stats(b.beds))
		}
	}
}

func (b *hostBed) stats(of []*bed) (all []Stats) {
	for _, one := range of {
		all = append(all, one.recv.Stats())
	}
	return all
}

// published is how many messages there are.
func (b *hostBed) published() uint64 { return b.pub.Seq() - 1 }

// start publishes until all receivers are known to the sender and have everything.
func (b *hostBed) start() {
	b.t.Helper()
	b.publishFor(cycleStep, b.beds)
	b.until("a start", b.beds, func() bool {
		return len(b.send.feeds) == 1 && len(b.send.feeds[0].receivers) == len(b.beds) && b.have(b.beds) && b.send.Drained()
	})
	b.blocked, b.full = 0, 0
}

// have reports whether these have all that was published.
func (b *hostBed) have(run []*bed) bool {
	for _, one := range run {
		if uint64(len(one.got)) != b.published() {
			return false
		}
	}
	return true
}

// TestReceiversOfOneHostAreEachRepaired has receivers that share a group's port lose, in turns, what their sockets have no room for.
func TestReceiversOfOneHostAreEachRepaired(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			b := newHostBed(t, 3, 0, SenderOptions{Secret: key, Liveness: time.Second}, func(_ int, o *ReceiverOptions) {
				o.Secret, o.Socket.RecvBuffer = key, 16<<10
			})
			b.start()
			for i := range b.beds {
				others := append(append([]*bed{}, b.beds[:i]...), b.beds[i+1:]...)
				b.publishFor(500*cycleStep, others)
				b.until("delivery", b.beds, func() bool { return b.have(b.beds) })
			}
			for i, one := range b.beds {
				one.verify(1, b.published(), false)
				if s := one.recv.Stats(); s.Naks == 0 || s.Lost != 0 {
					t.Errorf("receiver %d: %+v", i, s)
				}
			}
		})
	}
}
