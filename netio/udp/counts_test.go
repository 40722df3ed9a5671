package udp

import (
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
	spreads "github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// countsOf is what a way counts, by what, direction and reason.
func countsOf(w netio.Way) map[netio.Count]uint64 {
	all := map[netio.Count]uint64{}
	w.(netio.Counted).Counts(func(c netio.Count) {
		n := c.Value
		c.Value = 0
		all[c] += n
	})
	return all
}

// What a way says that it counts is what was sent and what came, and of each envelope at most one age is recorded.
func TestWaysTellWhatTheyCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.stats")
	f, err := spreads.Create(path, "left", "node")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	carried, err := f.Spread("carried")
	must(t, err)
	received, err := f.Spread("received")
	must(t, err)
	mirrors, err := netio.NewMirrors(netio.InboxOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, mirrors.Close()) })
	out, right := twoNodes(t, netio.Exchange{Channel: "orders", Capacity: 1 << 16, Mirrors: mirrors, Carried: carried, Received: received})
	r, w := fileRing(t, 7)
	must(t, out.Add("orders", r))
	const n = 50
	for range n {
		w.SetStamp(sys.Monotonic())
		put(t, w)
	}
	within(t, "all is confirmed", func() bool { return out.Alive("orders") && out.Lag("orders") == 0 })
	in := right.(*ways).all[0]
	one := netio.Count{Channel: "orders", What: netio.CountFrames, Direction: netio.Out}
	within(t, "all was sent", func() bool { return countsOf(out)[one] == n })
	one.Direction = netio.In
	within(t, "all has come", func() bool { return countsOf(in)[one] == n })
	one.What = netio.CountDatagrams
	datagrams := countsOf(in)[one]
	one.What = netio.CountBytes
	if datagrams == 0 || countsOf(in)[one] < n*(8+ring.HeaderSize) {
		t.Errorf("%v", countsOf(in))
	}
	f.Publish()
	reading, err := spreads.Read(path)
	must(t, err)
	for _, e := range reading.Entries {
		if e.Counts.Total == 0 || e.Counts.Total > datagrams || e.Counts.Max > uint64(10e9) {
			t.Errorf("%s: %d ages of %d datagrams, at most %d ns", e.Text, e.Counts.Total, datagrams, e.Counts.Max)
		}
	}
}
