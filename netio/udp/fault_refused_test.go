package udp

import (
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// TestAPortThatClosesAndOpensAgainIsTold closes the receiver of a repaired channel under its sender and opens it again, twice. The far
// host refuses what comes meanwhile; all arrives once, in order, and the sender tells the trouble and its end.
func TestAPortThatClosesAndOpensAgainIsTold(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			var sent troubles
			b := newLabBed(t, 1, netip.Addr{},
				SenderOptions{Reliability: Repaired, Secret: key, Heartbeat: cutHeartbeat, Liveness: cutLiveness, Events: sent.add},
				ReceiverOptions{Reliability: Repaired, Secret: key, Inbox: netio.InboxOptions{Dir: t.TempDir()}})
			// Else the kernel refuses six times, and then once a second.
			_, err := b.lab.Exec("rx0", "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit")
			must(t, err)
			one := b.beds[0]
			for life := range 2 {
				b.publish(200, 300)
				b.all("delivery", b.beds, func() bool { return uint64(len(one.got)) == b.pub.Seq()-1 })
				b.all("the end of trouble", b.beds, func() bool { return sent.recovered == len(sent.told) })
				before := b.send.tally.Dropped[Unsendable]
				one.hangUp()
				for range 200 {
					b.offer(300)
					b.turn(nil)
				}
				b.all("trouble", nil, func() bool { return len(sent.told) == life+1 && b.send.tally.Dropped[Unsendable] > before })
				b.again[0]()
				b.recv = one.recv
			}
			b.all("delivery", b.beds, func() bool { return uint64(len(one.got)) == b.pub.Seq()-1 })
			b.all("confirmation", b.beds, b.send.Drained)
			one.verify(1, b.pub.Seq()-1, false)
			b.all("the end of trouble", b.beds, func() bool { return sent.recovered == len(sent.told) })
			if !sent.named() || len(sent.told) != 2 {
				t.Errorf("told: %q", sent.told)
			}
		})
	}
}

// TestAStormOfRefusalsIsToldOnce sends to a closed port over loopback, where every datagram is refused.
func TestAStormOfRefusalsIsToldOnce(t *testing.T) {
	var sent troubles
	b := newBed(t, SenderOptions{Separate: true, Events: sent.add}, ReceiverOptions{}, nil)
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == 10 })
	to := b.recv.Local(0)
	b.hangUp()
	storm := scaled(20_000)
	for range storm {
		b.offer(64)
		_, err := b.send.Do()
		must(t, err)
	}
	if n := b.send.tally.Dropped[Unsendable]; len(sent.told) != 1 || sent.recovered != 0 || !sent.named() || n < uint64(storm)/2 {
		t.Errorf("%d of %d are counted as refused, %d ends were told of %q", n, storm, sent.recovered, sent.told)
	}
	b.listen(ReceiverOptions{Lines: []Listen{{Bind: to}}})
	b.until("the end of trouble", func() bool { return sent.recovered == 1 })
	had, last := len(b.got), b.pub.Seq()
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == had+10 })
	b.got = b.got[had:]
	b.verify(last, last+9, false)
	if s := b.recv.tally.Stats; s.Dropped[Duplicate] != 0 {
		t.Errorf("%d frames came twice", s.Dropped[Duplicate])
	}
}
