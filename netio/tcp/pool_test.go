package tcp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/simnet"
)

// pooled is a bed whose dialing end is a pool, behind a relay.
func pooled(t *testing.T, least, most int, idle time.Duration) (*bed, *Pool, *simnet.StreamRelay) {
	t.Helper()
	b := newBed(t, nil, "ticks")
	r, err := simnet.NewStreamRelay(b.listener.Local().String())
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	must(t, b.dialer.Close())
	b.do.To = netip.MustParseAddrPort(r.Addr().String())
	p, err := NewPool(PoolOptions{Dial: b.do, Min: least, Max: most, Idle: idle})
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	b.dial = p.Do
	return b, p, r
}

func TestRingsAreStripedOverLinks(t *testing.T) {
	b, p, _ := pooled(t, 2, 4, 20*time.Millisecond)
	var all []*source
	for range 8 {
		s := newSource(t, 1<<16)
		must(t, p.Channel("ticks").Add(s.ring))
		all = append(all, s)
	}
	if _, rings := p.Links(); len(rings) != 4 || rings[0] != 2 || rings[1] != 2 || rings[2] != 2 || rings[3] != 2 {
		t.Errorf("links carry %v", rings)
	}
	n := scaled(5000)
	b.until("all arrive", func() bool {
		done := 0
		for _, s := range all {
			s.publish(n, 64)
			if k := b.sink(s); k != nil {
				if k.drain(); k.got == n {
					done++
				}
			}
		}
		return done == len(all)
	})
	for _, s := range all {
		if had, err := p.Remove("ticks", s.ring); !had || err != nil {
			t.Error(had, err)
		}
	}
	b.until("idle links are closed, and those that stand by stay", func() bool { links, _ := p.Links(); return len(links) == 2 })
}

// What a link carries goes to the one that stands by when its connection is lost, where the other node had it.
func TestTheLinkThatStandsByTakesOver(t *testing.T) {
	b, p, r := pooled(t, 2, 2, 0)
	s := newSource(t, 1<<16)
	must(t, p.Add("ticks", s.ring))
	n := scaled(20_000)
	next := n / 4
	b.until("all arrive", func() bool {
		links, rings := p.Links()
		for i, l := range links { // the connection of the link that carries
			if k := b.sink(s); rings[i] > 0 && k != nil && k.got >= next && links[1-i].Alive() {
				next = k.got + n/4
				l.mu.Lock()
				if l.conn != nil {
					l.end(l.clock.read(), errReplaced)
					l.retryAt = l.clock.read() + time.Hour
				}
				l.mu.Unlock()
				if p.Moves() > 0 {
					r.Cut() // and now all of them
				}
			}
		}
		s.publish(n, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == n
	})
	if p.Moves() == 0 {
		t.Error("nothing was moved")
	}
}
