package udp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

func traceOf(seq uint64) (t seal.Trace) {
	for i := range t {
		t[i] = byte(seq) + byte(i) + 1
	}
	return t
}

// TestTraceTravelsWithItsFrame sends traced frames among others, of every size and in every shape of envelope: each comes with its context, and
// no other frame has one.
func TestTraceTravelsWithItsFrame(t *testing.T) {
	secret := seal.NewSecret()
	codec := func() seal.Codec {
		c, err := pack.New(pack.Options{Method: pack.LZ4})
		must(t, err)
		return c
	}
	for name, c := range map[string]struct {
		so SenderOptions
		ro ReceiverOptions
	}{
		"together":    {},
		"repaired":    {SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}},
		"apart":       {so: SenderOptions{Separate: true}},
		"sealed":      {SenderOptions{Secret: &secret, Reliability: Repaired}, ReceiverOptions{Secret: &secret, Reliability: Repaired}},
		"packed":      {SenderOptions{Codec: codec()}, ReceiverOptions{Codec: codec()}},
		"small paths": {so: SenderOptions{MTU: MinMTU, Reliability: Repaired}, ro: ReceiverOptions{MTU: MinMTU, Reliability: Repaired}},
	} {
		t.Run(name, func(t *testing.T) {
			carried, received := map[uint64]seal.Trace{}, map[uint64]seal.Trace{}
			note := func(in map[uint64]seal.Trace, hop seal.Hop) func(string, seal.Hop, seal.Trace, seal.Frame) seal.Trace {
				return func(channel string, h seal.Hop, trace seal.Trace, f seal.Frame) seal.Trace {
					if channel != "signals" || h != hop || f.Source == 0 || f.Epoch == 0 {
						t.Errorf("%s of %s: %+v", h, channel, f)
					}
					in[f.Seq] = trace
					return trace.In([8]byte{byte(h), 7})
				}
			}
			c.so.Traced, c.ro.Traced = note(carried, seal.Carried), note(received, seal.Received)
			b := newBed(t, c.so, c.ro, nil)
			traced := map[uint64]bool{}
			b.publish(1, 48) // a session, where there is one, begins with it
			b.until("the first", func() bool { return len(b.got) == 1 })
			sizes := []int{48, 16, 400, 1372, 1390, 1400, 3000, 20_000, 130, 540, 508, 476}
			const n = 121
			for i := range n - 1 {
				if i%3 == 0 {
					traced[b.pub.Seq()] = true
					b.pub.Trace(traceOf(b.pub.Seq()))
				}
				b.publish(1, sizes[i%len(sizes)])
				if i%5 == 0 {
					b.step()
				}
			}
			b.until("all messages", func() bool { return len(b.got) == n })
			b.verify(1, n, false)
			seen := map[uint64]seal.Trace{}
			for _, m := range b.got {
				if m.trace != nil {
					seen[m.seq] = *m.trace
				}
			}
			for seq := uint64(1); seq <= n; seq++ {
				want := traceOf(seq)
				one, ok := seen[seq]
				if ok != traced[seq] || ok && (carried[seq] != want || received[seq] != want.In([8]byte{byte(seal.Carried), 7}) ||
					one != want.In([8]byte{byte(seal.Received), 7})) {
					t.Errorf("frame %d, traced %v: carried %s, received %s, seen %s", seq, traced[seq], carried[seq], received[seq], one)
				}
			}
		})
	}
}

// A trace that came before its turn waits for its frame. One of a frame that comes twice, or never, is not that of another.
func TestTraceWaitsForItsFrame(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{Reliability: Repaired}, nil)
	withTrace := func(seq uint64, n int) []byte {
		trace := traceOf(seq)
		d := append(b.records(seq, n, 64), trace[:]...)
		(&seal.Header{Kind: seal.Data, Traced: true, Channel: b.recv.channel, Source: 7, Epoch: 1, Length: len(d) - seal.HeaderSize, Seq: seq}).Put(d)
		return d
	}
	b.inject(b.records(1, 1, 64))
	b.inject(withTrace(6, 2)) // two that are early
	b.inject(withTrace(4, 2))
	b.inject(withTrace(4, 2))      // again
	b.inject(withTrace(1, 1))      // late, and there
	b.inject(withTrace(2, 2)[:60]) // cut short
	b.inject(b.records(2, 2, 64))
	b.inject(b.records(8, 2, 64))
	b.until("all of them", func() bool { return len(b.got) == 9 })
	b.verify(1, 9, false)
	for _, m := range b.got {
		want := m.seq == 4 || m.seq == 6
		if (m.trace != nil) != want || want && *m.trace != traceOf(m.seq) {
			t.Errorf("frame %d: trace %v", m.seq, m.trace)
		}
	}
}

func TestTracedFrameAllocatesNothing(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{}, nil)
	b.publish(1, 48)
	b.until("the first", func() bool { return len(b.got) == 1 })
	m := b.mirrors[0]
	n := testing.AllocsPerRun(50, func() {
		b.pub.Trace(traceOf(1))
		p, err := b.pub.Claim(48)
		must(t, err)
		must(t, b.pub.Commit(len(p)))
		for end := time.Now().Add(10 * time.Second); m.Peek(b.batch[:]) == 0; {
			_, err := b.send.Do()
			must(t, err)
			_, err = b.recv.Do()
			must(t, err)
			if time.Now().After(end) {
				t.Fatal("nothing arrives")
			}
		}
		if m.Trace() == nil {
			t.Error("the trace is lost")
		}
		must(t, m.Release(1))
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is lost and sent again has its trace again, and its span once.
func TestTraceIsSentAgainWithItsFrame(t *testing.T) {
	spans := 0
	b := newBed(t, SenderOptions{Reliability: Repaired, Traced: func(_ string, _ seal.Hop, trace seal.Trace, _ seal.Frame) seal.Trace {
		spans++
		return trace
	}}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(3, 48)
	b.until("three", func() bool { return len(b.got) == 3 })
	away := b.send.wires[0].socket
	lost, err := sys.OpenUDP(sys.UDPOptions{Connect: netip.AddrPortFrom(loopback, 9)})
	must(t, err)
	b.send.wires[0].socket = lost // a way that leads nowhere
	b.publish(2, 48)
	_, _ = b.send.Do()
	b.pub.Trace(traceOf(6))
	b.publish(3, 48)
	_, _ = b.send.Do()
	b.send.wires[0].socket = away
	must(t, lost.Close())
	b.publish(1, 48)
	b.until("all of them", func() bool { return len(b.got) == 9 })
	b.verify(1, 9, false)
	for _, m := range b.got {
		if want := m.seq == 6; (m.trace != nil) != want || want && *m.trace != traceOf(6) {
			t.Errorf("frame %d: trace %v", m.seq, m.trace)
		}
	}
	if s := b.send.Stats(); spans != 1 || s.Again == 0 {
		t.Errorf("%d spans, %+v", spans, s)
	}
}
