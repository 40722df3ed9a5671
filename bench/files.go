package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// interval is one line of the .hlog: what a lane measured within about a second.
type interval struct {
	from, to time.Time
	hist     *hdrhistogram.Histogram
}

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
	t.log = append(t.log, interval{t.since, now, t.pending})
	t.pending = newHistogram()
}

// WriteFiles writes the report under dir, which is created when missing: NAME.json, NAME.html, NAME.hlog (all lanes, tagged) and a
// NAME-LANE.hgrm for each lane that has latencies, where NAME is the workload's with a dash for each slash. It returns the paths.
func (r *Report) WriteFiles(dir string) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	name := strings.ReplaceAll(r.Workload, "/", "-")
	write := func(suffix string, render func(*bytes.Buffer) error) {
		var text bytes.Buffer
		path := filepath.Join(dir, name+suffix)
		fault := render(&text)
		if fault == nil {
			fault = os.WriteFile(path, text.Bytes(), 0o644)
		}
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("bench: write %s: %w", path, fault))
			return
		}
		paths = append(paths, path)
	}
	write(".json", func(b *bytes.Buffer) error { return r.WriteJSON(b) })
	write(".html", func(b *bytes.Buffer) error { return r.WriteHTML(b) })
	write(".hlog", r.writeLog)
	for _, lane := range r.order {
		t := r.lanes[lane]
		if t.total.TotalCount() == 0 {
			continue
		}
		write("-"+lane+".hgrm", func(b *bytes.Buffer) error {
			_, err := t.total.PercentilesPrint(b, hgrmTicks, nsPerMicro)
			return err
		})
	}
	return paths, err
}

// writeLog writes the histogram log, format 1.3. Readers want its head in this order: version, start time, legend.
func (r *Report) writeLog(b *bytes.Buffer) error {
	w := hdrhistogram.NewHistogramLogWriter(b)
	start := r.Started.UnixMilli()
	err := errors.Join(
		w.OutputLogFormatVersion(),
		w.OutputComment(fmt.Sprintf("[%s commit %s seed %d on %s]", r.Workload, r.Commit, r.Seed, r.Host.Name)),
		w.OutputStartTime(start),
		w.OutputLegend(),
	)
	w.SetBaseTime(start / 1000 * 1000) // the head names whole seconds
	for _, lane := range r.order {
		for _, i := range r.lanes[lane].log {
			i.hist.SetTag(lane)
			i.hist.SetStartTimeMs(i.from.UnixMilli())
			i.hist.SetEndTimeMs(i.to.UnixMilli())
			err = errors.Join(err, w.OutputIntervalHistogram(i.hist))
		}
	}
	return err
}
