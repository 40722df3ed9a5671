package link

import (
	"testing"

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

// TestTraceTravelsWithItsFrame sends traced frames of every size among others, over a connection that is cut on the way: each comes with its
// context, and no other frame has one.
func TestTraceTravelsWithItsFrame(t *testing.T) {
	for _, packed := range []bool{false, true} {
		sends, takes := Contract{Name: "c", Sends: true, Reliability: Reliable}, Contract{Name: "c", Takes: true, Reliability: Reliable}
		var codecs [2]seal.Codec
		if packed {
			sends.Codecs, takes.Codecs = []string{"lz4"}, []string{"lz4"}
			for i := range codecs {
				var err error
				codecs[i], err = pack.New(pack.Options{Method: pack.LZ4})
				must(t, err)
			}
		}
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
		var out *ring.Reader
		inbox := netio.InboxOptions{Capacity: 4 << 20, Opened: func(r *ring.Ring) {
			var err error
			out, err = r.Reader(ring.ReaderOptions{From: ring.Oldest})
			must(t, err)
			t.Cleanup(func() { _ = out.Close() })
		}}
		d := newBed(t, 3, Options{Node: "a", Peer: "b", Traced: note(carried, seal.Carried), Channels: []Channel{{Contract: sends, Codec: codecs[0]}}},
			Options{Node: "b", Traced: note(received, seal.Received), Channels: []Channel{{Contract: takes, Inbox: inbox, Codec: codecs[1]}}})
		s := newSource(t, ring.Options{Capacity: 4 << 20})
		must(t, d.a.Add("c", s.ring))
		d.connect()
		traced, seen := map[uint64]bool{}, map[uint64]seal.Trace{}
		sizes := []int{48, 16, 4000, 17_000, 65_400, 65_430, 65_440, 100_000, 300}
		const n = 90
		batch, got := make([]ring.Record, 8), 0
		take := func() {
			if out == nil {
				return
			}
			for k := out.Peek(batch); k > 0; k = out.Peek(batch) {
				if trace := out.Trace(); trace != nil {
					seen[out.First()] = *trace
				}
				got += k
				must(t, out.Release(k))
			}
		}
		for i := range n {
			if i%3 == 0 {
				traced[s.next] = true
				s.writer.Trace(traceOf(s.next))
			}
			d.until("room", func() bool { take(); return s.publish(sizes[i%len(sizes)]) })
			if i == n/2 {
				d.cut(nil)
				d.connect()
			}
		}
		d.until("all of them", func() bool { take(); return got == n })
		for seq := uint64(1); seq <= n; seq++ {
			one, ok := seen[seq]
			want := traceOf(seq)
			if ok != traced[seq] || ok && (carried[seq] != want || received[seq] != want.In([8]byte{byte(seal.Carried), 7}) ||
				one != want.In([8]byte{byte(seal.Received), 7})) {
				t.Errorf("packed %v: frame %d, traced %v: carried %s, received %s, seen %s", packed, seq, traced[seq], carried[seq], received[seq], one)
			}
		}
	}
}
