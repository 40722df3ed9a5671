package prom

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/alphapulse/transport/route/watch"
)

const mostSeries = 20_000

// descs are what each metric is to Prometheus. A label that a sample does not have is empty, which to Prometheus is the same.
var descs = func() map[string]*prometheus.Desc {
	all := map[string]*prometheus.Desc{}
	for _, m := range watch.Catalogue() {
		all[m.Name] = prometheus.NewDesc(m.Name, m.Help, append([]string{ofProcess}, m.Labels...), nil)
	}
	for _, m := range own {
		all[m.Name] = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return all
}()

// Collector is the view as a collector of Prometheus.
func (v *View) Collector() prometheus.Collector { return collector{v} }

type collector struct{ *View }

// Describe tells every metric that there may be.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descs {
		to <- d
	}
}

// Collect reads the node's files, or takes the reading of a scrape just before.
func (c collector) Collect(to chan<- prometheus.Metric) {
	all, unread := c.Snapshots()
	s := &scrape{to: to, room: c.most}
	h := c.Health()
	for _, state := range []watch.State{watch.OK, watch.Degraded, watch.Failing} {
		s.gauge(HealthState, fact(h.State == state), string(state))
		if state != watch.OK {
			n := 0
			for _, f := range h.Faults {
				if f.State == state {
					n++
				}
			}
			s.gauge(HealthFaults, float64(n), string(state))
		}
	}
	s.gauge(UnreadFiles, fact(unread != nil))
	now := c.now()
	for _, p := range all { // whether a process lives is told before anybody's numbers fill the room
		s.gauge(Up, fact(p.Alive), p.Process)
		s.gauge(ProcessStart, float64(p.Started.UnixNano())/1e9, p.Process)
		s.gauge(StatsAge, max(now.Sub(p.At), 0).Seconds(), p.Process)
	}
	for _, p := range all {
		for i := range p.Samples {
			s.sample(p, &p.Samples[i])
		}
	}
	to <- prometheus.MustNewConstMetric(descs[LeftOut], prometheus.GaugeValue, float64(s.left))
}

func fact(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

// scrape is one while it is made.
type scrape struct {
	to   chan<- prometheus.Metric
	room int // series
	left int // series that found none
}

// fits takes room for a metric's series.
func (s *scrape) fits(m watch.Metric) bool {
	n := seriesOf(m)
	if s.room < n {
		s.left += n
		return false
	}
	s.room -= n
	return true
}

func (s *scrape) gauge(name string, x float64, labels ...string) {
	if m, _ := Find(name); s.fits(m) {
		s.put(prometheus.NewConstMetric(descs[name], prometheus.GaugeValue, x, labels...))
	}
}

// put hands a metric on. One that is none, a label that is no UTF-8 for instance, is told as left out.
func (s *scrape) put(m prometheus.Metric, err error) {
	if err != nil {
		s.left++
		return
	}
	s.to <- m
}

func (s *scrape) sample(p *watch.Snapshot, one *watch.Sample) {
	desc := descs[one.Metric.Name]
	if !s.fits(one.Metric) {
		return
	}
	labels := []string{p.Process}
	for _, l := range one.Metric.Labels {
		labels = append(labels, one.Get(l))
	}
	switch one.Metric.Kind {
	case watch.Counter:
		s.put(prometheus.NewConstMetric(desc, prometheus.CounterValue, one.Value, labels...))
	case watch.Gauge:
		s.put(prometheus.NewConstMetric(desc, prometheus.GaugeValue, one.Value, labels...))
	case watch.Histogram:
		s.put(histogramOf(desc, one.Counts, p.Started, labels...))
	}
}

// gone reports whether the process that joins the node is not there, or says nothing any more.
func gone(h watch.Health) bool {
	return slices.ContainsFunc(h.Faults, func(f watch.Fault) bool { return f.State == watch.Failing && f.What == nodeIsProcess })
}
