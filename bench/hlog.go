package bench

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// mostIntervals bounds what is kept of a histogram log: a line per lane and second is a day of ten lanes.
const mostIntervals = 1 << 20

// readLog takes the lanes' distributions from a histogram log. One whose subject has another number of samples belongs to another run.
func (r *Report) readLog(in io.Reader) error {
	lanes, order := map[string]*track{}, []string(nil)
	log := hdrhistogram.NewHistogramLogReader(io.LimitReader(in, mostOfFile))
	for n := 0; ; n++ {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			return err
		}
		if h == nil {
			break
		}
		if n == mostIntervals {
			return fmt.Errorf("more than %d lines", mostIntervals)
		}
		t := lanes[h.Tag()]
		if t == nil {
			t = &track{total: newHistogram()}
			lanes[h.Tag()], order = t, append(order, h.Tag())
		}
		if dropped := t.total.Merge(h); dropped > 0 {
			return fmt.Errorf("lane %s: %d values above %d s", h.Tag(), dropped, highestNS/int64(time.Second))
		}
		t.log = append(t.log, Interval{time.UnixMilli(h.StartTimeMs()), time.UnixMilli(h.EndTimeMs()), h})
	}
	if len(lanes) == 0 {
		return errors.New("it has no histograms")
	}
	if t, l := lanes[r.Lane], r.Subject.Latency; l != nil && r.Lane != "" && (t == nil || t.total.TotalCount() != l.Samples) {
		return fmt.Errorf("it is not of the run of %s: its lane %s has another number of samples", r.from, r.Lane)
	}
	r.lanes, r.order = lanes, order
	return nil
}
