package redis

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// way is ring → shipper → stream → taker → mirror, with workers that are made anew whenever their link ends.
type way struct {
	t       *testing.T
	dir     string
	options Options
	ring    *ring.Ring
	writer  *ring.Writer
	sent    uint64

	shipper *mqadapt.Shipper
	taker   *mqadapt.Taker
	out, in *Queue
	ended   int // links

	mirror *ring.Ring
	reader *ring.Reader
	got    uint64
}

const wayChannel = "storm"

func newWay(t *testing.T, o Options) *way {
	w := &way{t: t, dir: t.TempDir(), options: o}
	var err error
	if w.ring, err = ring.Create(ring.Options{Path: filepath.Join(w.dir, "source.ring"), Capacity: 256 << 10}); err == nil {
		w.writer, err = w.ring.Writer()
	}
	if err != nil {
		t.Fatal(err)
	}
	if w.dial(); w.shipper == nil || w.taker == nil { // nobody holds what is published before
		t.Fatal("no link")
	}
	t.Cleanup(func() {
		w.end(&w.out)
		w.end(&w.in)
		if w.reader != nil {
			_ = errors.Join(w.reader.Close(), w.mirror.Close())
		}
		if err := errors.Join(w.writer.Close(), w.ring.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// end closes one side and what goes through it. A link that is broken says so; that is what it was ended for.
func (w *way) end(q **Queue) {
	if q == &w.out && w.shipper != nil {
		_ = w.shipper.Close()
		w.shipper = nil
	}
	if q == &w.in && w.taker != nil {
		_ = w.taker.Close()
		w.taker = nil
	}
	if *q != nil {
		_ = (*q).Close()
		*q = nil
	}
}

// dial makes what is missing, if the server lets it.
func (w *way) dial() {
	if w.shipper == nil {
		q, err := Open(w.options)
		if err != nil {
			return
		}
		w.out = q
		p, err := q.Producer()
		if err == nil {
			if w.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: wayChannel, Separate: true}); err == nil {
				err = w.shipper.Add(w.ring)
			}
		}
		if err != nil {
			w.end(&w.out)
		}
	}
	if w.taker == nil {
		q, err := Open(w.options)
		if err != nil {
			return
		}
		w.in = q
		c, err := q.Consumer("mirror")
		if err == nil {
			w.taker, err = mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: wayChannel, Inbox: netio.InboxOptions{
				Dir: filepath.Join(w.dir, "mirrors"), Capacity: 256 << 10, Opened: w.opened}})
		}
		if err != nil {
			w.end(&w.in)
		}
	}
}

func (w *way) opened(r *ring.Ring) {
	if w.reader != nil {
		return
	}
	var err error
	if w.mirror, err = ring.Attach(r.Info().Path, ring.Options{}); err == nil {
		w.reader, err = w.mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *way) publish(to uint64) {
	w.t.Helper()
	for w.sent < to {
		b, err := w.writer.Claim(64)
		if errors.Is(err, ring.ErrFull) {
			return
		}
		if err == nil {
			binary.LittleEndian.PutUint64(b, w.sent+1)
			err = w.writer.Commit(len(b))
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.sent++
	}
}

// step lets everybody do something. Nothing that the server does is an error here: it ends a link.
func (w *way) step(to uint64) {
	w.t.Helper()
	w.dial()
	w.publish(to)
	if w.shipper != nil {
		if _, err := w.shipper.Do(); err != nil {
			w.ended++
			w.end(&w.out)
		}
	}
	if w.taker != nil {
		if _, err := w.taker.Do(); err != nil {
			w.ended++
			w.end(&w.in)
		}
	}
	if w.reader == nil {
		return
	}
	batch := make([]ring.Record, 256)
	n := w.reader.Peek(batch)
	for _, r := range batch[:n] {
		if seq := binary.LittleEndian.Uint64(r.Payload()); seq != w.got+1 {
			w.t.Fatalf("message %d where %d is due (%d in the mirror, %d lost)", seq, w.got+1, w.reader.First(), w.reader.Lost())
		}
		w.got++
	}
	if err := errors.Join(w.reader.Err(), w.reader.Release(n)); err != nil || w.reader.Lost() != 0 {
		w.t.Fatalf("%d lost: %v", w.reader.Lost(), err)
	}
}

// until steps until something is so.
func (w *way) until(what string, to uint64, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); w.step(to) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within a minute: %d of %d", what, w.got, to)
		}
	}
}

// Whatever the ring let go because it was accepted comes out of the mirror: it is nowhere else.
func TestKilledServerLosesRepeatsAndReordersNothing(t *testing.T) {
	for _, sync := range []string{"everysec", "always"} {
		t.Run(sync, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rnd := rand.New(rand.NewPCG(seed, 1))
			b := private(t)
			set(t, client(t, b.URL), "appendfsync", sync)
			o := Options{URL: b.URL, Stream: fresh(), Patience: 2 * time.Second, Lease: 100 * time.Millisecond}
			if sync == "always" {
				o.Durability = mqadapt.OS
			}
			w := newWay(t, o)
			kills := scaled(20)
			to := uint64(0)
			for range kills {
				to += 20_000
				at := w.got + uint64(rnd.IntN(10_000)) + 1
				w.until("a point to kill at", to, func() bool { return w.got >= at })
				if err := b.Kill(); err != nil {
					t.Fatal(err)
				}
				w.step(to)
				if err := b.Start(); err != nil {
					t.Fatal(err)
				}
				set(t, client(t, b.URL), "appendfsync", sync)
			}
			w.until("all messages in the mirror", to, func() bool { return w.got == to && w.shipper != nil && w.shipper.Idle() })
			if w.ended < kills {
				t.Errorf("%d kills ended %d links", kills, w.ended)
			}
			t.Logf("%d kills, %d links ended, %d messages", kills, w.ended, w.got)
		})
	}
}

func TestStoppedServerMakesNobodyWait(t *testing.T) {
	b := private(t)
	o := Options{URL: b.URL, Stream: fresh(), Patience: 500 * time.Millisecond, Window: 64}
	p, err := bed(t, o).Producer()
	if err != nil {
		t.Fatal(err)
	}
	put(t, p, 1, 100, 100)
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	seq, longest := uint64(101), time.Duration(0)
	out := make([]mqadapt.Outcome, 16)
	var ended error
	for end := time.Now().Add(20 * time.Second); ended == nil; time.Sleep(time.Millisecond) {
		began := time.Now()
		n, err := p.Put([]mqadapt.Envelope{envelope(1, seq, 100)})
		longest = max(longest, time.Since(began))
		seq += uint64(n)
		if err == nil {
			n, err = p.Settle(out, 0)
		}
		for _, o := range out[:n] {
			if n > 0 && o.Verdict == mqadapt.Accepted && time.Now().After(end) {
				t.Error("a stopped server accepted something")
			}
		}
		if ended = err; time.Now().After(end) {
			t.Fatal("its link never ended")
		}
	}
	if errors.Is(ended, mqadapt.ErrClosed) || seq > 101+64 {
		t.Errorf("%d taken: %v", seq-101, ended)
	}
	if longest > o.Patience/2 {
		t.Errorf("a put took %s", longest)
	}
	if err := b.Resume(); err != nil {
		t.Fatal(err)
	}
	p, err = bed(t, o).Producer()
	if err != nil {
		t.Fatal(err)
	}
	put(t, p, 101, 300, 100) // again from the first that has no outcome
	c, err := bed(t, o).Consumer("g")
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(1)
	batch := make([]mqadapt.Delivery, 32)
	for end := time.Now().Add(20 * time.Second); next <= 300; {
		n, err := c.Get(batch, 100*time.Millisecond)
		if err != nil || time.Now().After(end) {
			t.Fatal(next, err)
		}
		for _, d := range batch[:n] {
			switch got, err := numberOf(d.Envelope); {
			case err != nil || got > next:
				t.Fatalf("%d where %d is due: %v", got, next, err)
			case got == next:
				next++
			}
		}
	}
}
