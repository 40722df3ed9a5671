package quic

import (
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

func TestFramesArriveOnceAndInOrder(t *testing.T) {
	b := newBed(t)
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 18}, "ticks")
	b.open().connect()
	one := newSource(t, ring.Options{Capacity: 1 << 18})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, scaled(20000), 64)
	b.carried(one, scaled(200), 1<<14)
	b.carried(one, 1, 64)
	until(t, "all is confirmed", b.link.Drained)
	if b.tx.count(link.Connected) != 1 || b.rx.count(link.Connected) != 1 || b.tx.count(link.Disconnected) != 0 {
		t.Errorf("%+v %+v", b.tx.all, b.rx.all)
	}
	if s := b.listener.Link("tx").Stats(); s.FramesIn != one.next-1 || s.Drops(link.Duplicate) != 0 {
		t.Errorf("%+v", s)
	}
}
