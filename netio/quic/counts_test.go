package quic

import (
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
	spreads "github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/ring"
)

// What a way says that it counts is what was sent and what came, channel by channel, and ages of both are recorded.
func TestWaysTellWhatTheyCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.stats")
	f, err := spreads.Create(path, "tx", "node")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	carried, err := f.Spread("carried")
	must(t, err)
	received, err := f.Spread("received")
	must(t, err)
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
	in, err := rx.To(netio.Far{Node: "tx", Liveness: liveness, Exchanges: []netio.Exchange{{Channel: "ticks", Takes: true, Capacity: 1 << 16, Mirrors: mirrors, Received: received}}})
	must(t, err)
	here := netio.Far{Node: "rx", Liveness: liveness, Dials: true, Exchanges: []netio.Exchange{{Channel: "ticks", Sends: true, Capacity: 1 << 16, Carried: carried}}}
	here.Addresses = append(here.Addresses, rx.(*ways).listener.Local())
	out, err := tx.To(here)
	must(t, err)
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, out.Add("ticks", one.ring))
	const n = 50
	for range n {
		one.writer.SetStamp(sys.Monotonic())
		one.publish(64)
	}
	until(t, "all arrive", func() bool {
		s.drain()
		k := s.of(one.ring)
		return k != nil && k.next == one.next && out.Lag("ticks") == 0
	})
	count := func(w netio.Way, want netio.Count) (n uint64) {
		w.(netio.Counted).Counts(func(c netio.Count) {
			if c.Channel == want.Channel && c.What == want.What && c.Direction == want.Direction && c.Reason == "" {
				n += c.Value
			}
		})
		return n
	}
	frames := netio.Count{Channel: "ticks", What: netio.CountFrames, Direction: netio.Out}
	if got := count(out, frames); got != n {
		t.Errorf("%d frames went out", got)
	}
	frames.Direction = netio.In
	if got := count(in, frames); got != n {
		t.Errorf("%d frames came in", got)
	}
	if c := count(in, netio.Count{What: netio.CountConnections}); c != 1 || count(in, netio.Count{Channel: "ticks", What: netio.CountBytes, Direction: netio.In}) < n*64 {
		t.Errorf("%d connections", c)
	}
	f.Publish()
	reading, err := spreads.Read(path)
	must(t, err)
	for _, e := range reading.Entries {
		if e.Counts.Total == 0 || e.Counts.Total > n {
			t.Errorf("%s: %d ages", e.Text, e.Counts.Total)
		}
	}
}
