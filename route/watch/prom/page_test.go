package prom

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alphapulse/transport/route/watch"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// metricsPage is the table of every metric, as docs have it.
func metricsPage() string {
	var b strings.Builder
	b.WriteString(metricsIntro)
	for _, m := range Catalogue() {
		kind := map[watch.Kind]string{watch.Counter: "counter", watch.Gauge: "gauge", watch.Histogram: "histogram"}[m.Kind]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, kind, strings.Join(m.Labels, ", "), m.Help)
	}
	return b.String()
}

// TestTheMetricsPageIsCurrent: docs/metrics.md says what the catalogue says. "go test ./route/watch/prom -run Page -update" writes it.
func TestTheMetricsPageIsCurrent(t *testing.T) {
	const page = "../../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(page, []byte(metricsPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != metricsPage() {
		t.Errorf("%s is not what the catalogue says (%v): go test ./route/watch/prom -run TheMetricsPage -update", page, err)
	}
}

const metricsIntro = "# Metrics\n\n" +
	"`pulse run` answers at `DIR/.watch/node.sock`, or where `--metrics ADDRESS:PORT|unix:PATH` says (`off`: nowhere); nobody is asked who they are, so\n" +
	"anything but loopback is said once. `pulse metrics FILE --node NODE` does the same for a node in another process, also after its death.\n\n" +
	"```\n" +
	"curl -s --unix-socket DIR/.watch/node.sock http://node/metrics\n" +
	"pulse run FILE --node NODE --metrics 127.0.0.1:9469      # Prometheus asks over TCP only\n" +
	"pulse metrics FILE --node NODE --once                    # or --listen ADDRESS:PORT\n" +
	"pulse metrics --explain pulse_reader_lag_bytes           # --list: all\n" +
	"```\n\n" +
	"| path | answers |\n|---|---|\n" +
	"| `/metrics` | every number of every process of the node, as text, or as protobuf to who asks for it |\n" +
	"| `/healthz` | 200 while the process that joins the node is there and tells, else 503: whether to restart it |\n" +
	"| `/readyz` | 200 unless the node is failing, else 503: whether to count on it; both with `{\"state\",\"faults\"}` in JSON |\n" +
	"| `/debug/pprof/` | profiles of the process that answers |\n\n" +
	"Alert and recording rules are in [monitoring](../monitoring), with a section of the [runbook](runbook.md) for each alert, a dashboard for Grafana, and\n" +
	"a configuration of Prometheus. Nothing is done between scrapes: one reads the stats files in `DIR/.watch`, and those that come\n" +
	"within 100 ms share a reading.\n\n" +
	"Histograms are native (schema 4, buckets of 4.4 %) and classic (22 from 1 µs to 10 s) at once; a Prometheus with\n" +
	"`--enable-feature=native-histograms` keeps the native ones. Counts and sums are exact; a value may be in a neighbouring bucket if it is within 0.8 % of its end.\n\n" +
	"Every metric has the label `process` besides those below: `node` joins the node to others, the rest are actors. Labels that do not apply are empty.\n" +
	"The topology bounds all of them, and none is a message's: a channel to one node by one way makes about 60 series, a ring 5 and 3 for each reader.\n" +
	"A scrape has 20 000 series at most and counts what is left out. Actors that died ten minutes ago are left out; the node's process never is.\n\n" +
	"| metric | kind | labels | what it means |\n|---|---|---|---|\n"
