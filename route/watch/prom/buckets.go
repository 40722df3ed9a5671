package prom

import (
	"math"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/route/watch"
)

// schema is how fine native buckets are: 16 to a power of two, each 4.4 % wide. A bucket of a stats file is at most 0.8 % wide, and goes as a
// whole where its middle belongs.
const schema = 4

// bounds are the upper ends of classic buckets, in seconds: three to a decade, from what rings take to what nobody waits for. Scrapers that read
// text get only these.
var bounds = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// seriesOf is how many series a sample makes: of a histogram the buckets, the last one without an end, and their sum and count.
func seriesOf(m watch.Metric) int {
	if m.Kind == watch.Histogram {
		return len(bounds) + 3
	}
	return 1
}

// places says for each bucket of a stats file where it goes.
var places = sync.OnceValue(func() (all [tally.Buckets]struct{ native, classic int }) {
	for i := range all {
		middle := float64(tally.Low(i)+tally.Low(i+1)-1) / 2e9
		if middle == 0 {
			continue // nothing is counted there: a time is 1 ns at least
		}
		all[i].native = int(math.Ceil(math.Log2(middle) * (1 << schema)))
		for all[i].classic < len(bounds) && bounds[all[i].classic] < middle {
			all[i].classic++
		}
	}
	return all
})

// histogram is a metric with native and classic buckets: what a scraper understands of them it takes.
type histogram struct {
	prometheus.Metric
	classic []*dto.Bucket
}

// Write adds the classic buckets.
func (h *histogram) Write(out *dto.Metric) error {
	if err := h.Metric.Write(out); err != nil {
		return err
	}
	out.Histogram.Bucket = h.classic
	return nil
}

// histogramOf is counts of nanoseconds as a histogram of seconds. Its sum is the exact one.
func histogramOf(desc *prometheus.Desc, c *watch.Counts, since time.Time, labels ...string) (prometheus.Metric, error) {
	native, each := map[int]int64{}, make([]uint64, len(bounds)+1)
	for i, n := range c.Each {
		if n > 0 {
			p := places()[i]
			native[p.native] += int64(n)
			each[p.classic] += n
		}
	}
	m, err := prometheus.NewConstNativeHistogram(desc, c.Total, float64(c.Sum)/1e9, native, nil, 0, schema, prometheus.DefNativeHistogramZeroThreshold, since, labels...)
	if err != nil {
		return nil, err
	}
	h, sum := &histogram{Metric: m}, uint64(0)
	for i, bound := range bounds {
		sum += each[i]
		h.classic = append(h.classic, &dto.Bucket{UpperBound: &bound, CumulativeCount: ptr(sum)})
	}
	return h, nil
}

func ptr[T any](v T) *T { return &v }
