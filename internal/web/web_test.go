package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/web"
	"github.com/alphapulse/transport/route/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a node's process that says what the test wants.
type stage struct {
	*testing.T
	dir     string
	url     string
	board   *watch.Board
	arrives *watch.Spread
	sent    uint64

	mu      sync.Mutex
	medium  string // that carries quotes
	hostile bool   // a name is markup
}

const hostile = `<img src=x onerror=document.title='taken'>`

func newStage(t *testing.T) *stage {
	s := &stage{T: t, dir: t.TempDir(), medium: "tcp"}
	var err error
	if s.board, err = watch.Post(s.dir, "london", watch.NodeProcess); err != nil {
		t.Fatal(err)
	}
	s.arrives = s.board.Spread(watch.HopLatency, "quotes", watch.Delivered)
	s.round()
	return s
}

// round says a second's worth.
func (s *stage) round() {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.board
	for range 1000 {
		s.arrives.Record(uint64(900 * math.Exp(4*math.Pow(rand.Float64(), 3))))
	}
	s.sent += 48_000
	b.Round(time.Now(), func() bool {
		b.Gauge(watch.NodeInfo, 1, "v7")
		b.Count(watch.RingMessages, s.sent, "quotes", "kraken.0")
		b.Count(watch.RingBytes, 96*s.sent, "quotes", "kraken.0")
		b.Gauge(watch.RingCapacity, 1<<20, "quotes", "kraken.0")
		b.Fact(watch.RingWriterAlive, true, "quotes", "kraken.0")
		b.Gauge(watch.ReaderLag, 310_000, "quotes", "kraken.0", "momentum")
		b.Fact(watch.ReaderGating, true, "quotes", "kraken.0", "momentum")
		b.Fact(watch.ReaderAlive, true, "quotes", "kraken.0", "momentum")
		b.Count(watch.RingMessages, s.sent/40, "signals", "momentum.0")
		b.Gauge(watch.RingCapacity, 1<<18, "signals", "momentum.0")
		if s.hostile {
			b.Count(watch.RingMessages, 12, hostile, "x.0")
		}
		b.Count(watch.SubscriberMessages, s.sent-20, "quotes")
		b.Count(watch.SubscriberLost, 0, "quotes")
		for _, m := range []string{"tcp", "journal"} {
			b.Fact(watch.CarriageActive, m == s.medium, "quotes", "tokyo", m)
			b.Fact(watch.WayAlive, m == s.medium || m == "journal" || s.medium == "tcp", "quotes", "tokyo", m)
			b.Gauge(watch.WayBreaker, map[bool]float64{true: 0, false: 2}[m == s.medium || m == "journal"], "quotes", "tokyo", m)
		}
		b.Count(watch.CarriageFailovers, map[string]uint64{"tcp": 0, "journal": 1}[s.medium], "quotes", "tokyo")
		b.Gauge(watch.CarriageLag, 4096, "quotes", "tokyo")
		b.Fact(watch.CarriageActive, true, "signals", "desk", "udp")
		b.Fact(watch.WayAlive, true, "signals", "desk", "udp")
		b.Gauge(watch.WayBreaker, 0, "signals", "desk", "udp")
		b.Count(watch.LinkDropped, 17, "signals", "desk", "udp", "0", "in", "duplicate")
		return true
	})
}

func (s *stage) carry(medium string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.medium = medium
}

// serve has the node say something twice a second, and its dashboard served, while the test runs.
func (s *stage) serve() string {
	d := web.New(s.dir)
	ctx, cancel := context.WithCancel(s.Context())
	var done sync.WaitGroup
	done.Go(func() { d.Run(ctx) })
	done.Go(func() {
		for tick := time.Tick(500 * time.Millisecond); ctx.Err() == nil; {
			s.round()
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	})
	server := httptest.NewServer(d)
	s.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		done.Wait()
		if err := s.board.Close(); err != nil {
			s.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	s.url = server.URL
	return server.URL
}

func TestStateIsToldOnceASecondAndWhenAsked(t *testing.T) {
	s := newStage(t)
	url := s.serve()
	get := func(path string) string {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %s", path, err, r.Status)
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") {
			t.Errorf("%s: %q", path, csp)
		}
		return string(b)
	}
	if text := get("/api/state"); !strings.Contains(text, `"node":"london"`) || !strings.Contains(text, `"medium":"tcp"`) {
		t.Error(text)
	}
	if text := get("/api/help"); !strings.Contains(text, watch.ReaderLag) {
		t.Error(text)
	}
	r, err := http.Get(url + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	rates := 0
	for end := time.Now().Add(10 * time.Second); rates == 0 && lines.Scan() && time.Now().Before(end); {
		var state struct {
			Channels []struct{ Rate float64 }
		}
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(text), &state); err != nil {
				t.Fatal(err)
			}
			for _, c := range state.Channels {
				if c.Rate > 0 {
					rates++
				}
			}
		}
	}
	if rates == 0 {
		t.Error("no state has a rate")
	}
	if text := get("/api/history?channel=quotes"); !strings.Contains(text, `"hop":"delivered"`) {
		t.Error(text)
	}
}

func TestStrangersNamesAndVerbsAreRefused(t *testing.T) {
	s := newStage(t)
	url := s.serve()
	for _, c := range []struct {
		method, host string
		want         int
	}{
		{"GET", "", http.StatusOK}, {"GET", "localhost:80", http.StatusOK}, {"GET", "[::1]:80", http.StatusOK}, {"GET", "192.0.2.7", http.StatusOK},
		{"GET", "evil.example", http.StatusMisdirectedRequest}, {"POST", "", http.StatusMethodNotAllowed}, {"DELETE", "", http.StatusMethodNotAllowed},
	} {
		q, err := http.NewRequest(c.method, url+"/api/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = c.host
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != c.want {
			t.Errorf("%s of host %q: %s", c.method, c.host, r.Status)
		}
	}
}

func TestARealBrowserShowsWhatTheNodeSays(t *testing.T) {
	s := newStage(t)
	s.hostile = true
	b := openBrowser(t)
	b.visit(s.serve() + "/")
	b.until(`document.querySelector('[data-edge="quotes tokyo"]')?.dataset.medium === "tcp"`)
	b.until(`document.querySelector('[data-edge="signals desk"]')?.dataset.medium === "udp"`)
	b.until(`document.querySelector('[data-node="tokyo"]') !== null`)
	b.until(`document.getElementById("node").textContent === "london, topology v7"`)
	b.until(`document.getElementById("state").textContent === "ok"`)
	b.until(`document.getElementById("readers").textContent.includes("momentum")`)
	b.until(`document.getElementById("drops").textContent.includes("duplicate")`)
	b.until(`document.querySelector('[data-hop="delivered"] path.p99') !== null`)
	b.until(`document.getElementById("channels").textContent.includes("<img src=x")`) // a hostile name is text
	b.until(`document.querySelector("main img") === null && document.title === "Pulse"`)
	b.until(`document.querySelector('#channels th[title]') !== null`) // what each figure means

	s.carry("journal") // the link is cut
	changed := time.Now()
	b.until(`document.querySelector('[data-edge="quotes tokyo"]')?.dataset.medium === "journal"`)
	b.until(`document.getElementById("state").textContent === "degraded"`)
	b.until(`document.getElementById("faults").textContent.includes("channel quotes to tokyo by tcp")`)
	b.until(`document.getElementById("ways").textContent.includes("open")`)
	t.Logf("seen after %v", time.Since(changed))
	b.until(`(document.querySelector('tr[data-channel="signals"]').click(), document.querySelector("tr.chosen").dataset.channel === "signals")`)

	for _, said := range b.complaints() {
		t.Errorf("the browser complains: %s", said)
	}
	for _, asked := range b.asked() {
		if !strings.HasPrefix(asked, s.url) {
			t.Errorf("the page asks for %s", asked)
		}
	}
}

// TestPicturesOfTheDashboard takes the pictures of docs/live.md where PULSE_PICTURES says.
func TestPicturesOfTheDashboard(t *testing.T) {
	s := newStage(t)
	b := openBrowser(t)
	b.visit(s.serve() + "/")
	b.until(`document.querySelectorAll('[data-hop="delivered"] path.p99').length > 0`)
	if os.Getenv("PULSE_PICTURES") != "" {
		time.Sleep(40 * time.Second) // a line instead of a dot
		s.carry("journal")
		time.Sleep(3 * time.Second)
	}
	for name, scheme := range map[string]string{"web.png": "light", "web-dark.png": "dark"} {
		picture := b.picture(scheme)
		if len(picture) < 10_000 {
			t.Errorf("%s: %d bytes", name, len(picture))
		}
		if to := os.Getenv("PULSE_PICTURES"); to != "" {
			if err := os.WriteFile(filepath.Join(to, name), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
