package web

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

//go:embed static
var static embed.FS

const (
	lookEvery  = time.Second
	mostEvents = 16 // browsers that are told each second
)

// Dashboard shows the node whose rings are in a directory. Its methods may be called from any goroutine. The zero Dashboard is not valid: use New.
type Dashboard struct {
	dir string
	mux *http.ServeMux

	mu      sync.Mutex
	state   []byte // as JSON
	last    *view.State
	history history
	changed chan struct{} // closed with each look
	viewers int
}

// New makes the dashboard of a node's directory.
func New(dir string) *Dashboard {
	d := &Dashboard{dir: dir, mux: http.NewServeMux(), changed: make(chan struct{})}
	files, _ := fs.Sub(static, "static") // it is there
	d.mux.Handle("GET /", http.FileServerFS(files))
	d.mux.HandleFunc("GET /api/state", d.now)
	d.mux.HandleFunc("GET /api/events", d.events)
	d.mux.HandleFunc("GET /api/history", d.past)
	d.mux.HandleFunc("GET /api/help", help)
	d.look(time.Now())
	return d
}

// Run looks at the node once a second until ctx ends.
func (d *Dashboard) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.look(now)
		}
	}
}

// look reads the stats files. What cannot be read is not shown: the processes that are missing are seen to be.
func (d *Dashboard) look(now time.Time) {
	all, _ := watch.ReadDir(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = view.Of(now, all, d.last)
	d.history.add(d.last)
	d.state, _ = json.Marshal(d.last) // of plain values
	close(d.changed)
	d.changed = make(chan struct{})
}

// ServeHTTP answers.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !known(r.Host) {
		http.Error(w, "this dashboard is not called "+fmt.Sprintf("%q", r.Host)+": ask for it by an address, or as localhost", http.StatusMisdirectedRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	d.mux.ServeHTTP(w, r)
}

// known refuses names: who runs a page of the same name could have led its browser here, and would read this one's (DNS rebinding). Addresses are
// not led anywhere.
func known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

func (d *Dashboard) now(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	b := d.state
	d.mu.Unlock()
	answer(w, b)
}

func answer(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // who went away needs no answer
}

// events tells a browser the state of each second, as server-sent events.
func (d *Dashboard) events(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	full := d.viewers >= mostEvents
	if !full {
		d.viewers++
	}
	d.mu.Unlock()
	if full {
		http.Error(w, "enough browsers are told of each change: ask /api/state", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		d.mu.Lock()
		d.viewers--
		d.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	for {
		d.mu.Lock()
		b, changed := d.state, d.changed
		d.mu.Unlock()
		_ = c.SetWriteDeadline(time.Now().Add(5 * lookEvery)) // where there is none, a browser that takes nothing holds its connection only
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// past is what is kept of a channel's latencies.
func (d *Dashboard) past(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	b, _ := json.Marshal(d.history.of(r.URL.Query().Get("channel")))
	d.mu.Unlock()
	answer(w, b)
}

// help is what each metric means.
func help(w http.ResponseWriter, _ *http.Request) {
	all := map[string]string{}
	for _, m := range watch.Catalogue() {
		all[m.Name] = m.Help
	}
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(all) // of strings
	answer(w, b.Bytes())
}
