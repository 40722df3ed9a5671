package mqadapt_test

import (
	"testing"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

func traceOf(seq uint64) (t seal.Trace) {
	for i := range t {
		t[i] = byte(seq) + byte(i) + 1
	}
	return t
}

// TestTracePassesAQueue has traced frames of every size among others pass a queue, in every dress: each comes out with its context, and no
// other frame has one. Envelopes say so in their header, where brokers' clients look for what goes into headers of their own.
func TestTracePassesAQueue(t *testing.T) {
	secret := seal.NewSecret()
	codec := func() seal.Codec {
		c, err := pack.New(pack.Options{Method: pack.LZ4})
		must(t, err)
		return c
	}
	for name, c := range map[string]struct {
		s mqadapt.ShipperOptions
		t mqadapt.TakerOptions
	}{
		"together":          {},
		"separate":          {s: mqadapt.ShipperOptions{Separate: true}},
		"small":             {s: mqadapt.ShipperOptions{Body: 128}},
		"sealed and packed": {mqadapt.ShipperOptions{Secret: &secret, Codec: codec()}, mqadapt.TakerOptions{Secret: &secret, Codec: codec()}},
		"all a body has":    {s: mqadapt.ShipperOptions{Body: seal.MaxBody}},
	} {
		t.Run(name, func(t *testing.T) {
			carried, received := map[uint64]seal.Trace{}, map[uint64]seal.Trace{}
			note := func(in map[uint64]seal.Trace, hop seal.Hop) netio.Traced {
				return func(channel string, h seal.Hop, trace seal.Trace, f seal.Frame) seal.Trace {
					if channel != "c" || h != hop || f.Source == 0 {
						t.Errorf("%s of %q: %+v", h, channel, f)
					}
					in[f.Seq] = trace
					return trace.In([8]byte{byte(h), 7})
				}
			}
			source, err := ring.Create(ring.Options{Capacity: 4 << 20})
			must(t, err)
			w, err := source.Writer()
			must(t, err)
			traced := map[uint64]bool{}
			sizes := []int{48, 16, 70, 90, 100, 4000, 16_340, 20_000, 65_430, 70_000}
			const n = 60
			q := &list{}
			p, err := q.Producer()
			must(t, err)
			c.s.Channel, c.s.Traced = "c", note(carried, seal.Carried)
			s, err := mqadapt.NewShipper(p, c.s)
			must(t, err)
			must(t, s.Add(source))
			for i := range n {
				if i%3 == 0 {
					traced[w.Seq()] = true
					w.Trace(traceOf(w.Seq()))
				}
				_, err := w.Claim(sizes[i%len(sizes)])
				must(t, err)
				must(t, w.Commit(sizes[i%len(sizes)]))
			}
			for !s.Idle() {
				_, err := s.Do()
				must(t, err)
			}
			envelopes := 0
			for _, e := range q.kept {
				var h seal.Header
				must(t, h.Parse(e))
				if h.Traced {
					envelopes++
				}
			}
			if envelopes != len(traced) {
				t.Errorf("%d envelopes say that they are traced, want %d", envelopes, len(traced))
			}
			var out *ring.Reader
			consumer, err := q.Consumer("g")
			must(t, err)
			c.t.Channel, c.t.Traced = "c", note(received, seal.Received)
			c.t.Inbox = netio.InboxOptions{Capacity: 4 << 20, Opened: func(r *ring.Ring) {
				out, err = r.Reader(ring.ReaderOptions{From: ring.Oldest})
				must(t, err)
			}}
			k, err := mqadapt.NewTaker(consumer, c.t)
			must(t, err)
			seen, got, batch := map[uint64]seal.Trace{}, 0, make([]ring.Record, 8)
			for range 200 {
				_, err := k.Do()
				must(t, err)
				for m := out.Peek(batch); m > 0; m = out.Peek(batch) {
					if trace := out.Trace(); trace != nil {
						seen[out.First()] = *trace
					}
					got += m
					must(t, out.Release(m))
				}
			}
			if got != n {
				t.Fatalf("%d of %d: %+v", got, n, k.Stats())
			}
			for seq := uint64(1); seq <= n; seq++ {
				one, ok := seen[seq]
				want := traceOf(seq)
				if ok != traced[seq] || ok && (carried[seq] != want || received[seq] != want.In([8]byte{byte(seal.Carried), 7}) ||
					one != want.In([8]byte{byte(seal.Received), 7})) {
					t.Errorf("frame %d, traced %v: carried %s, received %s, seen %s", seq, traced[seq], carried[seq], received[seq], one)
				}
			}
			for _, c := range []interface{ Close() error }{out, k, s, w, source} {
				must(t, c.Close())
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
