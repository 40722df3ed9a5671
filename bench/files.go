package bench

import (
	"bytes"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// keep adds a slice's histogram to the open interval.
func (t *track) keep(h *hdrhistogram.Histogram, now time.Time) {
	if t.pending.TotalCount() == 0 {
		t.since = now
	}
	t.pending.Merge(h)
	if now.Sub(t.since) >= logInterval {
		t.flush(now)
	}
}

// flush closes the open interval.
func (t *track) flush(now time.Time) {
	if t.pending.TotalCount() == 0 {
		return
	}
	t.log = append(t.log, Interval{t.since, now, t.pending})
	t.pending = newHistogram()
}

// WriteFiles writes the report under dir, which is created when missing: NAME.json, NAME.html, NAME.hlog (all lanes, tagged) and a
// NAME-LANE.hgrm for each lane that has latencies, where NAME is the workload's with a dash for each slash. It returns the paths.
func (r *Report) WriteFiles(dir string) ([]string, error) {
	f := files{dir: dir, name: r.Workload}
	f.write(".json", func(b *bytes.Buffer) error { return r.WriteJSON(b) })
	f.write(".html", func(b *bytes.Buffer) error { return r.WriteHTML(b) })
	f.write(".hlog", func(b *bytes.Buffer) error {
		about := fmt.Sprintf("%s commit %s seed %d on %s", r.Workload, r.Commit, r.Seed, r.Host.Name)
		return writeLog(b, about, r.Started, r.series())
	})
	f.percentiles(r.series())
	return f.paths, f.err
}

// series lists the lanes' distributions in the order of opening.
func (r *Report) series() (all []Series) {
	for _, lane := range r.order {
		t := r.lanes[lane]
		all = append(all, Series{lane, t.total, t.log})
	}
	return all
}
