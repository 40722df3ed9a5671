package journal

import (
	"encoding/binary"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

func publishTo(t *testing.T, w *ring.Writer, last uint64) {
	t.Helper()
	for w.Seq() <= last {
		b, err := w.Claim(8)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(b, w.Seq())
		if err := w.Commit(8); err != nil {
			t.Fatal(err)
		}
	}
}

func inTime(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never:", what)
		}
	}
}

func countOf(c any, what netio.What) (n uint64) {
	c.(netio.Counted).Counts(func(one netio.Count) {
		if one.Channel == "orders" && one.What == what && one.Reason == "" {
			n += one.Value
		}
	})
	return n
}

// What goes into a queue and comes out is counted at both ends, also over several lives of who does it, and each envelope's age is recorded once
// at most.
func TestQueuesTellWhatTheyCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.stats")
	f, err := tally.Create(path, "left", "node")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spread := func(name string) *netio.Spread {
		s, err := f.Spread(name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	carried, received := spread("carried"), spread("received")
	var mu sync.Mutex
	failing := true // the queue cannot be opened at first
	mirrors, err := netio.NewMirrors(netio.InboxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer mirrors.Close()
	dir := t.TempDir()
	hub := mqadapt.NewHub(netio.QueueSite{Node: "left"}, mqadapt.Backend{Kind: "journal", Open: func(netio.QueueLine) (mqadapt.Queue, error) {
		mu.Lock()
		defer mu.Unlock()
		if failing {
			failing = false
			return nil, mqadapt.ErrClosed
		}
		j, err := Open(Options{Dir: dir})
		if err != nil {
			return nil, err
		}
		return j, nil
	}})
	defer func() {
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	}()
	line := netio.QueueLine{Channel: "orders", Queue: "orders", From: "left", Place: "queue", Group: "right", Mirrors: mirrors}
	w, err := hub.Ship(line)
	if err != nil {
		t.Fatal(err)
	}
	first, err := hub.Take(line)
	if err != nil {
		t.Fatal(err)
	}
	second, err := hub.Take(line)
	if err != nil {
		t.Fatal(err)
	}
	w.(netio.Timed).Time(carried, nil)
	second.(netio.Timed).Time(nil, received)
	r, err := ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "1.ring")})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("orders", r); err != nil {
		t.Fatal(err)
	}
	writer.SetStamp(sys.Monotonic())
	publishTo(t, writer, 20)
	inTime(t, "all is accepted", func() bool { return countOf(w, netio.CountFrames) == 20 })
	inTime(t, "all is taken", func() bool { return countOf(first, netio.CountFrames) == 20 })
	if n := countOf(second, netio.CountFrames); n != 0 {
		t.Errorf("%d are told twice", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n := countOf(second, netio.CountFrames); n != 20 {
		t.Errorf("the one that is left tells of %d", n)
	}
	second.(netio.Timed).Time(nil, nil)
	w.(netio.Timed).Time(nil, nil)
	totals := func() (all [2]uint64) {
		f.Publish()
		reading, err := tally.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range reading.Entries {
			all[i] = e.Counts.Total
		}
		return all
	}
	before := totals()
	if e := countOf(w, netio.CountEnvelopes); before[0] == 0 || before[0] > e || before[1] == 0 || before[1] > e {
		t.Errorf("ages %d of %d envelopes", before, e)
	}
	publishTo(t, writer, 40)
	inTime(t, "the rest is taken", func() bool { return countOf(second, netio.CountFrames) == 40 })
	if totals() != before {
		t.Error("recorded after it was taken back")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := countOf(w, netio.CountFrames); n != 40 {
		t.Errorf("%d after its shipper is gone", n)
	}
}
