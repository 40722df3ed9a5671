package otel_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/route/watch/otel"
	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collecting is a collector in a few lines.
type collecting struct {
	*httptest.Server
	mu   sync.Mutex
	got  []*otlp.Span
	fail int // status to answer with; 0: none
}

func newCollector(t testing.TB) *collecting {
	c := &collecting{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var request collector.ExportTraceServiceRequest
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(b, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			http.Error(w, fmt.Sprint(r.URL, err), http.StatusBadRequest)
			return
		}
		if c.fail != 0 {
			http.Error(w, "no", c.fail)
			return
		}
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				c.got = append(c.got, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collecting) spans() []*otlp.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*otlp.Span(nil), c.got...)
}

func (c *collecting) answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = status
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no " + what)
		}
	}
}

func TestSpansComeWithTheirIDsTimesAndParents(t *testing.T) {
	c, dir := newCollector(t), t.TempDir()
	e, err := otel.New(otel.Options{Dir: dir, Node: "left", URL: c.URL, Every: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := e.Run(ctx, nil); err != nil {
			t.Error(err)
		}
	})
	a, b := spans.NewLog(dir, "feed"), spans.NewLog(dir, "node")
	begun := spans.Begin()
	before := time.Now()
	first := a.Pass(begun, spans.Span{Hop: seal.Committed, Channel: "quotes", Medium: "ring", Source: 0xabc, Epoch: 3, Seq: 7})
	second := b.Pass(first, spans.Span{Hop: seal.Carried, Channel: "quotes", Medium: "tcp", Source: 0xabc, Epoch: 3, Seq: 7})
	until(t, "two spans", func() bool { return len(c.spans()) == 2 && e.Stats().Sent == 2 }) // it has heard the answer, too
	stop()
	done.Wait()
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.spans() {
		own, parent, name := first.Span(), [8]byte{}, "committed quotes"
		if s.Name != name {
			own, parent, name = second.Span(), first.Span(), "carried quotes"
		}
		id := begun.ID()
		if s.Name != name || string(s.TraceId) != string(id[:]) || string(s.SpanId) != string(own[:]) ||
			parent != [8]byte{} && string(s.ParentSpanId) != string(parent[:]) || parent == [8]byte{} && len(s.ParentSpanId) != 0 {
			t.Errorf("%s of %s, child of %s: %s", hex.EncodeToString(s.SpanId), hex.EncodeToString(s.TraceId), hex.EncodeToString(s.ParentSpanId), s.Name)
		}
		if at := time.Unix(0, int64(s.StartTimeUnixNano)); at.Before(before.Add(-time.Millisecond)) || at.After(time.Now()) {
			t.Errorf("%s began at %s", s.Name, at)
		}
		has := map[string]string{}
		for _, a := range s.Attributes {
			has[a.Key] = a.Value.GetStringValue()
			if a.Key == "pulse.seq" && a.Value.GetIntValue() != 7 {
				t.Errorf("%s: %v", s.Name, a)
			}
		}
		if has["pulse.source"] != "abc" || has["pulse.channel"] != "quotes" || has["pulse.process"] == "" || has["pulse.medium"] == "" {
			t.Errorf("%s: %v", s.Name, has)
		}
	}
	if s := e.Stats(); s != (otel.Stats{Read: 2, Sent: 2}) {
		t.Errorf("%+v", s)
	}
}

// What a collector does not take is counted, told once, and the next is sent again.
func TestSpansThatAreNotTakenAreCounted(t *testing.T) {
	c, dir := newCollector(t), t.TempDir()
	c.answer(http.StatusForbidden)
	e, err := otel.New(otel.Options{Dir: dir, Node: "left", URL: c.URL, Every: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	var mu sync.Mutex
	var told []error
	done.Go(func() {
		if err := e.Run(ctx, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, err)
		}); err != nil {
			t.Error(err)
		}
	})
	l := spans.NewLog(dir, "node")
	pass := func() { l.Pass(spans.Begin(), spans.Span{Hop: seal.Committed, Channel: "c"}) }
	pass()
	until(t, "dropped span", func() bool { return e.Stats().Dropped == 1 })
	until(t, "word of it", func() bool { mu.Lock(); defer mu.Unlock(); return len(told) >= 1 && told[0] != nil })
	c.answer(0)
	pass()
	until(t, "sent span", func() bool { return e.Stats().Sent == 1 && len(c.spans()) == 1 })
	stop()
	done.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsReportAllFaults(t *testing.T) {
	for _, url := range []string{"", "collector:4318", "ftp://x", "http://", "http://a b"} {
		if _, err := otel.New(otel.Options{Dir: "d", URL: url}); !errors.Is(err, otel.ErrOptions) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := otel.New(otel.Options{URL: "http://x", Every: 1}); !errors.Is(err, otel.ErrOptions) {
		t.Error(err)
	}
}

func ExampleExporter() {
	e, err := otel.New(otel.Options{Dir: "/dev/shm/pulse-prices-left", Node: "left", URL: "http://localhost:4318"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(e.Run(ctx, nil), e.Stats() == otel.Stats{})
	// Output: <nil> true
}
