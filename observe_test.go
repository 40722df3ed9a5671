package transport_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

// said is what the processes of a directory say of a metric with these labels, added up; ok is false while they do not.
func said(t *testing.T, dir, name string, labels ...string) (x float64, counts *watch.Counts, ok bool) {
	t.Helper()
	all, err := watch.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, one := range s.Where(name) {
			fits := true
			for i := 0; i < len(labels); i += 2 {
				fits = fits && one.Get(labels[i]) == labels[i+1]
			}
			if fits {
				x, counts, ok = x+one.Value, one.Counts, true
			}
		}
	}
	return x, counts, ok
}

// says waits until the processes of dir say a value.
func says(t *testing.T, dir string, want float64, name string, labels ...string) {
	t.Helper()
	var x float64
	var ok bool
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if x, _, ok = said(t, dir, name, labels...); ok && x == want {
			return
		}
	}
	t.Errorf("%s %v is %v (said: %t), not %v", name, labels, x, ok, want)
}

func TestStatsFileSaysWhatANodeDoes(t *testing.T) {
	dir := t.TempDir()
	file := pipeline(t, dir, "  quotes: {}\n  orders: {}\n")
	at := func(node, actor string, media ...transport.Medium) *transport.Node {
		return openPlace(t, transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node), Media: media,
			Notes: func(n netio.Note) { t.Logf("%s: %+v", node, n) }})
	}
	left, middle := filepath.Join(dir, "left"), filepath.Join(dir, "middle")
	joins := at("left", "", tcp.Medium{})
	feed, brain := at("left", "feed"), at("middle", "brain", tcp.Medium{})
	pub, err := feed.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	in, err := brain.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const total = 1000
	sent, came := 0, 0
	for end := time.Now().Add(20 * time.Second); came < total; {
		for ; sent < total; sent++ {
			pub.SetStamp(sys.Monotonic())
			if err := pub.Send([]byte("quote")); errors.Is(err, ring.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := in.Poll(10, func(seal.Frame) { came++ }); err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d: %v", came, total, err)
		}
	}
	says(t, left, total, watch.RingMessages, "channel", "quotes")
	says(t, left, 64<<10, watch.RingCapacity, "channel", "quotes")
	says(t, left, 0, watch.ReaderLag, "channel", "quotes")
	says(t, left, 1, watch.RingWriterAlive, "channel", "quotes")
	says(t, left, 1, watch.CarriageActive, "channel", "quotes", "node", "middle", "medium", "tcp")
	says(t, left, 1, watch.WayAlive, "channel", "quotes", "node", "middle")
	says(t, left, 0, watch.WayBreaker, "channel", "quotes")
	says(t, left, 0, watch.CarriageLag, "channel", "quotes")
	says(t, middle, total, watch.SubscriberMessages, "channel", "quotes")
	says(t, middle, total, watch.RingMessages, "channel", "quotes") // the mirror's
	_, counts, ok := said(t, middle, watch.HopLatency, "channel", "quotes", "hop", watch.Delivered)
	if !ok || counts.Total < total/10/64 || counts.Quantile(0.5) == 0 || counts.Quantile(1) > uint64(time.Minute) {
		t.Errorf("delivered: %+v", counts)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	says(t, middle, total, watch.SubscriberMessages, "channel", "quotes") // nothing that was counted is taken back
	all, err := watch.ReadDir(left)
	if err != nil || len(all) != 2 || all[0].Process != watch.NodeProcess || all[1].Process != "feed" || all[1].Node != "left" {
		t.Fatalf("%v %+v", err, all)
	}
	if h := watch.HealthOf(time.Now(), all...); h.State != watch.OK {
		t.Errorf("%+v", h)
	}
	if some := all[1].Where(watch.RingBytes); some != nil {
		t.Errorf("an actor tells of a ring that its node tells of: %+v", some)
	}

	if err := brain.Close(); err != nil { // the other node is gone
		t.Fatal(err)
	}
	says(t, left, 0, watch.WayAlive, "channel", "quotes", "node", "middle")
	all, _ = watch.ReadDir(left)
	if h := watch.HealthOf(time.Now(), all...); h.State == watch.OK {
		t.Errorf("%+v", h)
	}
	if err := joins.Close(); err != nil {
		t.Fatal(err)
	}
	says(t, left, total, watch.RingMessages, "channel", "quotes") // the last words stay, and the actor tells of its ring now
	all, _ = watch.ReadDir(left)
	if h := watch.HealthOf(time.Now(), all...); h.State != watch.Failing || h.Faults[0].What != "process node" {
		t.Errorf("%+v", h)
	}
}

func TestUnwatchedNodeHasNoStatsFile(t *testing.T) {
	dir := t.TempDir()
	n := openPlace(t, transport.Config{Dir: dir, Unwatched: true})
	if _, err := n.Subscriber("quotes"); err != nil {
		t.Fatal(err)
	}
	if all, err := watch.ReadDir(dir); err != nil || all != nil {
		t.Errorf("%v %+v", err, all)
	}
}
