package link

import (
	"errors"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// Two links to one node share its mirrors: a ring goes from the one to the other and back, in the middle of a stream, and nothing is lost,
// repeated or out of order.
func TestARingGoesFromLinkToLink(t *testing.T) {
	s := newSinks(t)
	mirrors, err := netio.NewMirrors(s.inbox(netio.InboxOptions{Capacity: 1 << 14}))
	must(t, err)
	var beds [2]*bed
	for i := range beds {
		a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, Reliable, "ticks")
		a.Link, b.Link = i, i
		b.Channels[0].Inbox = netio.InboxOptions{Shared: mirrors, Capacity: 1 << 14}
		beds[i] = newBed(t, uint64(i), a, b)
		beds[i].connect()
	}
	one := newSource(t, ring.Options{Capacity: 1 << 15})
	at := 0
	must(t, beds[at].a.Add("ticks", one.ring))
	const n = 3000
	for steps := 0; one.next <= n || !beds[at].a.Drained() || s.all[one.ring.Info().Instance].got < n; steps++ {
		if steps > 1_000_000 {
			t.Fatal(beds[at].dump())
		}
		for one.next <= n && one.publish(8+int(one.next%300)) {
		}
		for _, d := range beds {
			d.step()
		}
		for _, k := range s.all {
			k.drain(30)
		}
		if steps%50 == 49 {
			had, err := beds[at].a.Remove("ticks", one.ring)
			if must(t, err); !had {
				t.Fatal("the ring is gone")
			}
			at = 1 - at
			for one.next <= n && one.publish(8+int(one.next%300)) { // until the ring is full: nobody is taken for dead
			}
			must(t, beds[at].a.Add("ticks", one.ring))
		}
		if steps%333 == 332 {
			beds[at].cut(errors.New("cut"))
			beds[at].now += time.Millisecond
			beds[at].connect()
		}
	}
	t.Cleanup(func() { must(t, mirrors.Close()) })
	for _, d := range beds {
		for _, err := range d.errs {
			if err.Error() != "cut" {
				t.Error(err)
			}
		}
		if d.b.Stats().LostIn > 0 {
			t.Errorf("%+v", d.b.Stats())
		}
	}
}
