package prom

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/alphapulse/transport/route/watch"
)

const (
	scrapesMost = 4               // at once; more are told to come again
	scrapeMost  = 5 * time.Second // one of them
)

// Registry has the view's collector and nothing else: the process that serves is not the one that is told of.
func (v *View) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(v.Collector())
	return r
}

// Mount puts what the view shows on a mux, on which others may have their places, too:
//
//	/metrics       to Prometheus, as text or protobuf
//	/healthz       200 while the process that joins the node is there and says so, 503 otherwise: whether to restart it
//	/readyz        200 unless the node is failing, 503 otherwise: whether to count on it
//	/debug/pprof   of the process that serves
//
// The bodies of both answers say state and faults, in JSON.
func (v *View) Mount(mux *http.ServeMux) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(v.Registry(), promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesMost, Timeout: scrapeMost})) // two files that say they are the same process cost one, not the scrape
	mux.HandleFunc("GET /healthz", v.answer(gone))
	mux.HandleFunc("GET /readyz", v.answer(func(h watch.Health) bool { return h.State == watch.Failing }))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

func (v *View) answer(bad func(watch.Health) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := v.Health()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if bad(h) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(h) // whoever asked has gone
	}
}
