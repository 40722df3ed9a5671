package tcp

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// What a way says that it counts is what was sent and what came, and of each envelope at most one age is recorded.
func TestWaysTellWhatTheyCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.stats")
	f, err := tally.Create(path, "left", "node")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	carried, err := f.Spread("carried")
	must(t, err)
	received, err := f.Spread("received")
	must(t, err)
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16})
	must(t, err)
	t.Cleanup(func() { must(t, mirrors.Close()) })
	open := func(s netio.Station) netio.Ways {
		w, err := Medium{}.Open(s)
		must(t, err)
		t.Cleanup(func() { must(t, w.Close()) })
		return w
	}
	right := open(netio.Station{Node: "right", Bind: loopback})
	in, err := right.To(netio.Far{Node: "left", Exchanges: []netio.Exchange{{Channel: "orders", Takes: true, Capacity: 1 << 16, Mirrors: mirrors, Received: received}}})
	must(t, err)
	at := right.(*ways).listener.Local()
	out, err := open(netio.Station{Node: "left"}).To(netio.Far{Node: "right", Dials: true, Addresses: []netip.AddrPort{at},
		Exchanges: []netio.Exchange{{Channel: "orders", Sends: true, Capacity: 1 << 16, Carried: carried}}})
	must(t, err)
	r, err := ring.Open(ring.Options{Path: filepath.Join(t.TempDir(), "1.ring"), Capacity: 1 << 16})
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	w, err := r.Writer()
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	must(t, out.Add("orders", r))
	const n = 50
	one := &source{t: t, ring: r, writer: w, next: 1}
	for i := range n {
		w.SetStamp(sys.Monotonic())
		one.publish(i+1, 64)
	}
	for end := time.Now().Add(10 * time.Second); !out.Alive("orders") || out.Lag("orders") > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not all is confirmed")
		}
	}
	count := func(w netio.Way, what netio.What, direction string) (n uint64) {
		w.(netio.Counted).Counts(func(c netio.Count) {
			if c.What == what && c.Direction == direction && c.Reason == "" {
				n += c.Value
			}
		})
		return n
	}
	if o, i := count(out, netio.CountFrames, netio.Out), count(in, netio.CountFrames, netio.In); o != n || i != n {
		t.Errorf("%d frames went out, and %d came in", o, i)
	}
	if c := count(in, netio.CountConnections, ""); c != 1 || count(in, netio.CountBytes, netio.In) < n*64 {
		t.Errorf("%d connections", c)
	}
	f.Publish()
	reading, err := tally.Read(path)
	must(t, err)
	for _, e := range reading.Entries {
		if e.Counts.Total == 0 || e.Counts.Total > n {
			t.Errorf("%s: %d ages", e.Text, e.Counts.Total)
		}
	}
}
