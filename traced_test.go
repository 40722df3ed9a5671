package transport_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

// A publisher samples, a strategy answers within the same trace, and each hop is the child of the one before. Without a directory there are
// no spans, and contexts pass all the same.
func TestTraceGoesFromMessageToAnswer(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ""} {
		n := openPlace(t, transport.Config{Dir: dir, Source: "one", Channels: map[string]transport.Channel{"quotes": {TraceEvery: 4}}})
		quotes, err := n.Publisher("quotes")
		must(t, err)
		orders, err := n.Publisher("orders")
		must(t, err)
		in, err := n.Subscriber("quotes")
		must(t, err)
		out, err := n.Subscriber("orders")
		must(t, err)
		for i := range 12 {
			if i%2 == 0 {
				must(t, quotes.Send([]byte{1}))
				continue
			}
			quotes.Sample()
			_, err := quotes.Claim(1)
			must(t, err)
			must(t, quotes.Commit(1))
		}
		first, second := map[uint64]seal.Trace{}, map[uint64]seal.Trace{}
		var former seal.Frame
		for polled := 0; polled < 12; {
			k, err := in.Poll(100, func(f seal.Frame) {
				trace, ok := in.Trace(f)
				if ok != (f.Seq%4 == 0) {
					t.Errorf("quote %d is traced: %v", f.Seq, ok)
				}
				if ok {
					first[f.Seq] = trace
					if on := orders.Trace(trace); on.ID() != trace.ID() || on.Span() == trace.Span() && dir != "" {
						t.Errorf("%s goes on as %s", trace, on)
					}
					if _, ok := in.Trace(former); ok {
						t.Errorf("a frame of before is traced")
					}
				}
				former = f
				must(t, orders.Send(f.Payload))
			})
			must(t, err)
			polled += k
		}
		if _, ok := in.Trace(seal.Frame{Source: quotes.Source(), Seq: 12}); ok {
			t.Error("a frame is traced that is released")
		}
		for polled := 0; polled < 12; {
			k, err := out.Poll(5, func(f seal.Frame) {
				if trace, ok := out.Trace(f); ok {
					second[f.Seq] = trace
				}
			})
			must(t, err)
			polled += k
		}
		if len(first) != 3 || len(second) != 3 {
			t.Fatalf("%d and %d traces", len(first), len(second))
		}
		for seq, trace := range first {
			if second[seq].ID() != trace.ID() {
				t.Errorf("answer %d is of another trace", seq)
			}
		}
		if dir == "" {
			continue
		}
		tail := spans.NewTail(dir)
		all := map[[8]byte]spans.Span{}
		for end := time.Now().Add(10 * time.Second); len(all) < 12; time.Sleep(time.Millisecond) {
			_, err := tail.Read(func(process string, s spans.Span) {
				if process != "one" {
					t.Errorf("a span of %q", process)
				}
				all[s.Trace.Span()] = s
			})
			must(t, err)
			if time.Now().After(end) {
				t.Fatalf("%d spans", len(all))
			}
		}
		must(t, tail.Close())
		for _, trace := range second {
			way := ""
			for span := trace.Span(); span != [8]byte{}; {
				s := all[span]
				way += fmt.Sprintf("%s %s by %s, ", s.Hop, s.Channel, s.Medium)
				span = s.Parent
			}
			if way != "delivered orders by ring, committed orders by ring, delivered quotes by ring, committed quotes by ring, " {
				t.Error(way)
			}
		}
	}
}

// Neither who samples nor who asks pays for messages that are not traced with memory, nor for those that are.
func TestTracingAllocatesNothing(t *testing.T) {
	n := openPlace(t, transport.Config{Dir: t.TempDir(), Channels: map[string]transport.Channel{"c": {TraceEvery: 1}}})
	pub, err := n.Publisher("c")
	must(t, err)
	sub, err := n.Subscriber("c")
	must(t, err)
	got := 0
	each := func(f seal.Frame) {
		if _, ok := sub.Trace(f); ok {
			got++
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		pub.Sample()
		b, err := pub.Claim(8)
		must(t, err)
		must(t, pub.Commit(len(b)))
		_, err = sub.Poll(8, each)
		must(t, err)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got == 0 {
		t.Error("nothing is traced")
	}
}

func TestTraceOfATLVAndBack(t *testing.T) {
	in := tlv.TraceContext{ID: tlv.TraceID{1, 15: 2}, Service: 3}
	trace, ok := transport.TraceOf(in)
	if !ok || trace.ID() != [16]byte(in.ID) || trace.Flags() != seal.Sampled || trace.Span() != [8]byte{} {
		t.Errorf("%s, %v", trace, ok)
	}
	if transport.TraceContext(trace).ID != in.ID {
		t.Error("another id comes back")
	}
	if _, ok := transport.TraceOf(tlv.TraceContext{}); ok {
		t.Error("an id of zeroes is a trace")
	}
	n := openPlace(t, transport.Config{})
	pub, err := n.Publisher("c")
	must(t, err)
	if on := pub.Trace(trace); !on.Valid() || on.ID() != trace.ID() {
		t.Errorf("it goes on as %s", on)
	}
	if on := pub.Trace(seal.Trace{}); on != (seal.Trace{}) {
		t.Errorf("no trace goes on as %s", on)
	}
}
