package prom

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	dto "github.com/prometheus/client_model/go"

	"github.com/alphapulse/transport/route/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// posted is a process's stats file in dir.
func posted(t *testing.T, dir, name string) *watch.Board {
	t.Helper()
	b, err := watch.Post(dir, "left", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() }) // twice, where the test did
	return b
}

// round says all that fn does.
func round(b *watch.Board, fn func()) {
	b.Round(time.Now(), func() bool { fn(); return true })
}

// gathered is what a scrape finds, by name.
func gathered(t *testing.T, v *View) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := v.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*dto.MetricFamily{}
	for _, f := range all {
		by[f.GetName()] = f
	}
	return by
}

// pick is the one metric of a family with these labels, given in pairs.
func pick(t *testing.T, f *dto.MetricFamily, labels ...string) *dto.Metric {
	t.Helper()
	for _, m := range f.GetMetric() {
		have := map[string]string{}
		for _, l := range m.GetLabel() {
			have[l.GetName()] = l.GetValue()
		}
		all := true
		for i := 0; i < len(labels); i += 2 {
			all = all && have[labels[i]] == labels[i+1]
		}
		if all {
			return m
		}
	}
	t.Fatalf("%s has none with %q: %v", f.GetName(), labels, f.GetMetric())
	return nil
}
