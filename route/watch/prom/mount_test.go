package prom

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/route/watch"
)

// mounted is a mux with the view on it and somebody else's page.
func mounted(v *View) *http.ServeMux {
	mux := http.NewServeMux()
	v.Mount(mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "another's") })
	return mux
}

func got(mux http.Handler, path string, accept ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
	if len(accept) > 0 {
		r.Header.Set("Accept", accept[0])
	}
	mux.ServeHTTP(w, r)
	return w
}

func TestHealthIsToldByStatusAndBody(t *testing.T) {
	for _, c := range []struct {
		name           string
		say            func(b *watch.Board)
		later          time.Duration
		healthz, ready int
		state          watch.State
		fault          string
	}{
		{"well", func(b *watch.Board) {}, 0, 200, 200, watch.OK, ""},
		{"a breaker is open", func(b *watch.Board) { b.Gauge(watch.WayBreaker, 2, "trades", "middle", "tcp") }, 0, 200, 200, watch.Degraded, "breaker is open"},
		{"nothing flows", func(b *watch.Board) { b.Fact(watch.CarriageStranded, true, "trades", "middle") }, 0, 200, 503, watch.Failing, "no way is alive"},
		{"the process is quiet", func(b *watch.Board) {}, time.Minute, 503, 503, watch.Failing, "has said nothing for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			node := posted(t, dir, watch.NodeProcess)
			round(node, func() { c.say(node) })
			v := Of(dir)
			v.now = func() time.Time { return time.Now().Add(c.later) }
			mux := mounted(v)
			for path, want := range map[string]int{"/healthz": c.healthz, "/readyz": c.ready} {
				w := got(mux, path)
				var h watch.Health
				if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != want || h.State != c.state {
					t.Errorf("%s: %d %+v %v", path, w.Code, h, err)
				}
				if c.fault != "" && (len(h.Faults) != 1 || !strings.Contains(h.Faults[0].Why, c.fault)) {
					t.Errorf("%s: %+v", path, h.Faults)
				}
			}
		})
	}
}

func TestANodeThatIsGoneOrNeverWasIsNotHealthy(t *testing.T) {
	dir := t.TempDir()
	for name, prepare := range map[string]func(){
		"never was": func() {},
		"gone": func() {
			node := posted(t, dir, watch.NodeProcess)
			round(node, func() {})
			if err := node.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		prepare()
		mux := mounted(Of(dir))
		for _, path := range []string{"/healthz", "/readyz"} {
			if w := got(mux, path); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "process node") {
				t.Errorf("%s: %s: %d %s", name, path, w.Code, w.Body)
			}
		}
	}
}

// TestScrapersOfTextAndOfProtobufGetBuckets: those of text get classic ones, the others native ones, too.
func TestScrapersOfTextAndOfProtobufGetBuckets(t *testing.T) {
	dir := t.TempDir()
	node := posted(t, dir, watch.NodeProcess)
	node.Spread(watch.HopLatency, "trades", watch.Delivered).Record(3000)
	round(node, func() {})
	mux := mounted(Of(dir))
	text := got(mux, "/metrics").Body.String()
	for _, want := range []string{
		`pulse_hop_latency_seconds_bucket{channel="trades",hop="delivered",medium="",node="",process="node",stripe="",le="2.5e-06"} 0`,
		`pulse_hop_latency_seconds_bucket{channel="trades",hop="delivered",medium="",node="",process="node",stripe="",le="5e-06"} 1`,
		`le="+Inf"} 1`, `pulse_hop_latency_seconds_count{`, "# TYPE pulse_up gauge",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	w := got(mux, "/metrics", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/vnd.google.protobuf") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestProfilesAndOtherPagesHaveTheirPlaces(t *testing.T) {
	mux := mounted(Of(t.TempDir()))
	for path, want := range map[string]string{"/debug/pprof/": "goroutine", "/debug/pprof/heap?debug=1": "heap profile", "/dashboard": "another's", "/debug/pprof/cmdline": "prom"} {
		if w := got(mux, path); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %.200s", path, w.Code, w.Body)
		}
	}
}
