package prom

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/alphapulse/transport/route/watch"
)

func TestEachNumberOfEachProcessIsASample(t *testing.T) {
	dir := t.TempDir()
	node, feed := posted(t, dir, watch.NodeProcess), posted(t, dir, "feed")
	round(node, func() {
		node.Count(watch.LinkFrames, 1<<40, "trades", "middle", "tcp", "0", "out")
		node.Gauge(watch.AccordOffset, -0.25, "trades", "middle")
		node.Gauge(watch.CarriageLag, 4096, "trades", "")
	})
	round(feed, func() { feed.Count(watch.RingMessages, 7, "trades", "feed") })
	all := gathered(t, Of(dir))
	if m := pick(t, all[watch.LinkFrames], "process", "node", "channel", "trades", "node", "middle", "medium", "tcp", "stripe", "0", "direction", "out"); m.GetCounter().GetValue() != 1<<40 {
		t.Error(m)
	}
	if m := pick(t, all[watch.AccordOffset], "node", "middle"); m.GetGauge().GetValue() != -0.25 {
		t.Error(m)
	}
	if m := pick(t, all[watch.CarriageLag], "channel", "trades", "node", ""); m.GetGauge().GetValue() != 4096 {
		t.Error(m)
	}
	if m := pick(t, all[watch.RingMessages], "process", "feed"); m.GetCounter().GetValue() != 7 {
		t.Error(m)
	}
	for _, process := range []string{"node", "feed"} {
		if m := pick(t, all[Up], "process", process); m.GetGauge().GetValue() != 1 {
			t.Error(m)
		}
		if m := pick(t, all[StatsAge], "process", process); m.GetGauge().GetValue() > 60 {
			t.Error(m)
		}
		if m := pick(t, all[ProcessStart], "process", process); math.Abs(m.GetGauge().GetValue()-float64(time.Now().Unix())) > 60 {
			t.Error(m)
		}
	}
	if m := pick(t, all[HealthState], "state", "ok"); m.GetGauge().GetValue() != 1 {
		t.Error(m)
	}
	if m := all[LeftOut].Metric[0]; m.GetGauge().GetValue() != 0 {
		t.Error(m)
	}
}

// TestHistogramsAreNativeAndClassic: count and sum are exact; both kinds of bucket hold what was recorded, to within a bucket of the stats file.
func TestHistogramsAreNativeAndClassic(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	spread := node.Spread(watch.HopLatency, "trades", watch.Carried, "middle", "tcp", "0")
	values, sum := []uint64{1, 300, 900, 1_300, 4_200, 47_000, 47_001, 880_000, 3_100_000, 1_900_000_000, 30_000_000_000}, 0.0
	for _, ns := range values {
		spread.Record(ns)
		sum += float64(ns)
	}
	round(node, func() {})
	h := pick(t, gathered(t, Of(dir))[watch.HopLatency], "hop", "carried", "stripe", "0").GetHistogram()
	if h.GetSampleCount() != uint64(len(values)) || math.Abs(h.GetSampleSum()-sum/1e9) > 1e-12 {
		t.Errorf("%d values of %v s together", h.GetSampleCount(), h.GetSampleSum())
	}
	if len(h.Bucket) != len(bounds) {
		t.Fatalf("%d classic buckets", len(h.Bucket))
	}
	for _, b := range h.Bucket {
		want := uint64(0)
		for _, ns := range values {
			if float64(ns)/1e9 <= b.GetUpperBound() {
				want++
			}
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("%d values up to %v s, not %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
	native := nativeBuckets(h)
	for i, ns := range values {
		near := int(math.Ceil(math.Log2(float64(ns)/1e9) * math.Exp2(float64(h.GetSchema()))))
		if native[near]+native[near-1]+native[near+1] == 0 {
			t.Errorf("value %d, %d ns: nothing near native bucket %d of %v", i, ns, near, native)
		}
	}
	total := int64(0)
	for _, n := range native {
		total += n
	}
	if total != int64(len(values)) {
		t.Errorf("%d values in native buckets", total)
	}
}

// nativeBuckets undoes spans and deltas.
func nativeBuckets(h *dto.Histogram) map[int]int64 {
	all, at, d, n := map[int]int64{}, 0, 0, int64(0)
	for _, span := range h.GetPositiveSpan() {
		at += int(span.GetOffset())
		for range span.GetLength() {
			n += h.GetPositiveDelta()[d]
			all[at] = n
			at, d = at+1, d+1
		}
	}
	return all
}

func TestAnEmptyHistogramIsOne(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	node.Spread(watch.HopLatency, "trades", watch.Delivered)
	round(node, func() {})
	if h := gathered(t, Of(dir))[watch.HopLatency].Metric[0].GetHistogram(); h.GetSampleCount() != 0 || h.GetZeroThreshold() == 0 && len(h.GetPositiveSpan()) == 0 {
		t.Error(h) // with neither it would be a classic one to Prometheus
	}
}

func TestNamesAndHelpAreWhatPrometheusWants(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	round(node, func() {
		for _, m := range watch.Catalogue() {
			switch m.Kind {
			case watch.Counter:
				node.Count(m.Name, 1)
			case watch.Gauge:
				node.Gauge(m.Name, 1)
			case watch.Histogram:
				node.Spread(m.Name)
			}
		}
	})
	families, err := Of(dir).Registry().Gather()
	if err != nil || len(families) != len(Catalogue()) {
		t.Fatal(len(families), err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestLastWordsOfTheDeadAreToldForAWhile(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	node, feed := posted(t, dir, watch.NodeProcess), posted(t, dir, "feed")
	for _, b := range []*watch.Board{node, feed} {
		round(b, func() { b.Count(watch.RingMessages, 7, "trades", "feed") })
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	v := Of(dir)
	v.now = func() time.Time { return now }
	all := gathered(t, v)
	for _, process := range []string{"node", "feed"} {
		if m := pick(t, all[Up], "process", process); m.GetGauge().GetValue() != 0 {
			t.Error(m)
		}
		if m := pick(t, all[watch.RingMessages], "process", process); m.GetCounter().GetValue() != 7 {
			t.Error(m)
		}
	}
	now = now.Add(forgotten + time.Minute)
	if all = gathered(t, v); len(all[Up].Metric) != 1 || len(all[watch.RingMessages].Metric) != 1 {
		t.Errorf("the actor is not forgotten: %v", all[Up])
	}
	pick(t, all[Up], "process", "node")
}

func TestWhatFindsNoRoomIsCounted(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	node.Spread(watch.HopLatency, "trades", watch.Delivered)
	round(node, func() {
		for _, ring := range []string{"a", "b", "c"} {
			node.Count(watch.RingMessages, 1, "trades", ring)
		}
	})
	v := Of(dir)
	v.most = 11 // health 5, unread 1, process 3; two of the rings' or the process's own
	all := gathered(t, v)
	told := 0
	for name, f := range all {
		if name != LeftOut {
			told += len(f.Metric)
		}
	}
	// Three rings, one pulse_watch_unkept_total and a histogram want 4 + 25.
	if left := all[LeftOut].Metric[0].GetGauge().GetValue(); told != 11 || left != 2+25 {
		t.Errorf("%d told and %v left out", told, left)
	}
}

func TestScrapesAtOnceShareOneReading(t *testing.T) {
	var reads atomic.Int32
	now := time.Now()
	v := Of("")
	v.now = func() time.Time { return now }
	v.read = func() ([]*watch.Snapshot, error) { reads.Add(1); return nil, nil }
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := v.Registry().Gather(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := reads.Load(); n != 1 {
		t.Errorf("%d readings for scrapes at once", n)
	}
	now = now.Add(shared)
	if _, err := v.Snapshots(); err != nil || reads.Load() != 2 {
		t.Errorf("%d readings, %v: one that is old is used again", reads.Load(), err)
	}
}

func TestAFileThatCannotBeReadCostsNothingElse(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	round(node, func() { node.Count(watch.RingMessages, 7, "trades", "feed") })
	if err := os.WriteFile(filepath.Join(dir, watch.Directory, "old.stats"), []byte("another version's"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := Of(dir)
	all := gathered(t, v)
	if pick(t, all[watch.RingMessages]).GetCounter().GetValue() != 7 || all[UnreadFiles].Metric[0].GetGauge().GetValue() != 1 {
		t.Error(all[UnreadFiles])
	}
	var text strings.Builder
	if err := v.WriteText(&text); err == nil || !strings.Contains(err.Error(), "old.stats") || !strings.Contains(text.String(), "pulse_ring_committed_messages_total{") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
