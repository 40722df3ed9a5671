package quic

import (
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/ring"
)

// Two nodes of a topology are joined by two ways side by side, each with channels of its own, and a way can go and come again.
func TestMediumJoinsNodes(t *testing.T) {
	a, s := trusttest.Authority(t), newSinks(t)
	mirrors, err := netio.NewMirrors(s.inbox(netio.InboxOptions{Capacity: 1 << 16}))
	must(t, err)
	t.Cleanup(func() { must(t, mirrors.Close()) })
	rx, err := Medium{}.Open(netio.Station{Node: "rx", Start: 1, Bind: loopback, Identity: trusttest.Identity(t, a, "rx")})
	must(t, err)
	t.Cleanup(func() { must(t, rx.Close()) })
	tx, err := Medium{}.Open(netio.Station{Node: "tx", Start: 1, Identity: trusttest.Identity(t, a, "tx")})
	must(t, err)
	t.Cleanup(func() { must(t, tx.Close()) })
	for stripe := range 2 {
		far := netio.Far{Stripe: stripe, Liveness: liveness}
		there, here := far, far
		there.Node, there.Exchanges = "tx", []netio.Exchange{{Channel: "ticks", Takes: true, Capacity: 1 << 16, Mirrors: mirrors}}
		_, err := rx.To(there)
		must(t, err)
		here.Node, here.Dials, here.Exchanges = "rx", true, []netio.Exchange{{Channel: "ticks", Sends: true, Capacity: 1 << 16}}
		here.Addresses = append(here.Addresses, rx.(*ways).listener.Local())
		one := newSource(t, ring.Options{Capacity: 1 << 16})
		for range 2 {
			w, err := tx.To(here)
			must(t, err)
			must(t, w.Add("ticks", one.ring))
			for range 100 {
				one.publish(64)
			}
			until(t, "all arrive", func() bool {
				s.drain()
				k := s.of(one.ring)
				return k != nil && k.next == one.next && w.Lag("ticks") == 0 && w.Alive("ticks")
			})
			done, err := w.Remove("ticks", one.ring)
			if must(t, err); !done {
				t.Error("not done")
			}
			must(t, w.Close())
		}
	}
	if _, err := rx.To(netio.Far{Node: "tx", Exchanges: []netio.Exchange{{Channel: "ticks", Takes: true, Mirrors: mirrors}}}); err == nil {
		t.Error("expected twice")
	}
}
