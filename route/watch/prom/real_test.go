package prom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/route/watch"
)

// TestARealPrometheusSeesWhatTheBoardSays: values are the same, native histograms come as such, and an alert of our rules fires and clears.
func TestARealPrometheusSeesWhatTheBoardSays(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	spread := node.Spread(watch.HopLatency, "trades", watch.Received, "middle", "tcp", "0")
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, mounted(Of(dir))) }()

	server, err := brokers.Prometheus(filepath.Join(dir, "prometheus"), configuration(t, dir, l.Addr().String()))
	if errors.Is(err, brokers.ErrMissing) || errors.Is(err, errors.ErrUnsupported) {
		stop()
		<-ended
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	began, stranded := time.Now(), true
	say := func() { // 100 messages a second that take 3 ms, most of them
		n := uint64(time.Since(began) / (10 * time.Millisecond))
		for range 20 {
			spread.Record(3_000_000)
		}
		round(node, func() {
			node.Count(watch.LinkFrames, n, "trades", "middle", "tcp", "0", "in")
			node.Gauge(watch.AccordOffset, -0.25, "trades", "middle")
			node.Count(watch.QueueRefused, 1<<52+1, "trades", "kafka", "malformed")
			node.Fact(watch.CarriageStranded, stranded, "trades", "middle")
		})
	}
	until := func(what, expr string, holds func([]brokers.Answer) bool) {
		t.Helper()
		var last []brokers.Answer
		for {
			say()
			var err error
			if last, err = server.Query(ctx, expr); err != nil {
				t.Fatal(err)
			}
			if holds(last) {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatalf("%s: %s is %v", what, expr, last)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	is := func(x float64) func([]brokers.Answer) bool {
		return func(all []brokers.Answer) bool { return len(all) == 1 && all[0].Value == x }
	}
	until("a gauge", `pulse_accord_clock_offset_seconds{job="pulse",process="node",channel="trades",node="middle"}`, is(-0.25))
	until("a counter beyond what a float32 has", `pulse_queue_refused_total{queue="kafka"}`, is(1<<52+1))
	until("the state", `pulse_health_state{state="failing"}`, is(1))
	until("the process", `pulse_up{process="node"}`, is(1))
	until("the rate", `rate(pulse_link_frames_total[5s])`, func(all []brokers.Answer) bool { return len(all) == 1 && all[0].Value > 50 && all[0].Value < 200 })
	until("native buckets", `histogram_quantile(0.5, rate(pulse_hop_latency_seconds[5s]))`, func(all []brokers.Answer) bool {
		return len(all) == 1 && math.Abs(all[0].Value-0.003) < 0.003*0.045
	})
	until("what is recorded", `pulse:hop_latency_seconds:p99{channel="trades",hop="received"}`, func(all []brokers.Answer) bool {
		return len(all) == 1 && math.Abs(all[0].Value-0.003) < 0.003*0.045
	})
	firing := `ALERTS{alertname="PulseChannelStranded",alertstate="firing",channel="trades",node="middle",severity="critical"}`
	until("the alert fires", firing, is(1))
	stranded = false
	until("the alert clears", firing, func(all []brokers.Answer) bool { return len(all) == 0 })
	until("the state is well again", `pulse_health_state{state="ok"}`, is(1))
}

// configuration is one that looks often, with our rules, which wait for a second at most.
func configuration(t *testing.T, dir, target string) string {
	t.Helper()
	text := textOf(t, filepath.Join(monitoring, "pulse.rules.yml"))
	for _, long := range []string{"for: 5s", "for: 10s", "for: 15s", "for: 30s"} {
		text = strings.ReplaceAll(text, long, "for: 1s")
	}
	file := filepath.Join(dir, "pulse.rules.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("global: { scrape_interval: 250ms, evaluation_interval: 250ms }\nrule_files: [%q]\n"+
		"scrape_configs: [{ job_name: pulse, static_configs: [{ targets: [%q] }] }]\n", file, target)
}
