package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// scaled divides a full count as the scripts ask.
func scaled(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(2, full/scale)
}

const channel = "crash"

// way is ring → shipper → topic → taker → mirror, each worker on a goroutine of its own, the publisher on the test's.
type way struct {
	testing.TB
	ring    *ring.Ring
	writer  *ring.Writer
	shipper *mqadapt.Shipper
	taken   chan error // the taker's end
	sent    uint64
	full    uint64 // claims that found the ring full

	mu     sync.Mutex
	mirror *ring.Ring
	reader *ring.Reader
	got    uint64
}

func newWay(t testing.TB, q *Queue, capacity int) *way {
	t.Helper()
	w := &way{TB: t, taken: make(chan error, 1)}
	dir := t.TempDir()
	var err error
	if w.ring, err = ring.Create(ring.Options{Path: filepath.Join(dir, "source.ring"), Capacity: capacity}); err != nil {
		t.Fatal(err)
	}
	if w.writer, err = w.ring.Writer(); err != nil {
		t.Fatal(err)
	}
	if w.shipper, err = mqadapt.NewShipper(producerOf(t, q), mqadapt.ShipperOptions{Channel: channel, Body: 2048}); err == nil {
		err = w.shipper.Add(w.ring)
	}
	if err != nil {
		t.Fatal(err)
	}
	taker, err := mqadapt.NewTaker(consumerOf(t, q, "mirror"), mqadapt.TakerOptions{Channel: channel,
		Inbox: netio.InboxOptions{Dir: filepath.Join(dir, "mirrors"), Capacity: capacity, Opened: w.opened}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	shipped := make(chan error, 1)
	go func() { shipped <- w.shipper.Run(ctx) }()
	go func() { w.taken <- taker.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-shipped, <-w.taken, w.shipper.Close(), taker.Close()); err != nil {
			t.Error(err)
		}
		if w.reader != nil {
			if err := errors.Join(w.reader.Close(), w.mirror.Close()); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(w.writer.Close(), w.ring.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *way) opened(r *ring.Ring) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reader != nil {
		return
	}
	var err error
	if w.mirror, err = ring.Attach(r.Info().Path, ring.Options{}); err == nil {
		w.reader, err = w.mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	}
	if err != nil {
		w.Error(err)
	}
}

// publish commits n messages, fewer if the ring is full: it does not wait.
func (w *way) publish(n int) {
	for range n {
		b, err := w.writer.Claim(48)
		if errors.Is(err, ring.ErrFull) {
			w.full++
			return
		}
		if err == nil {
			binary.LittleEndian.PutUint64(b, w.sent+1)
			err = w.writer.Commit(len(b))
		}
		if err != nil {
			w.Fatal(err)
		}
		w.sent++
	}
}

// read takes what is in the mirror, and holds it to being the next.
func (w *way) read() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reader == nil {
		return
	}
	var batch [256]ring.Record
	for n := w.reader.Peek(batch[:]); n > 0; n = w.reader.Peek(batch[:]) {
		for _, r := range batch[:n] {
			if seq := binary.LittleEndian.Uint64(r.Payload()); seq != w.got+1 {
				w.Fatalf("message %d where %d is due", seq, w.got+1)
			}
			w.got++
		}
		if err := w.reader.Release(n); err != nil {
			w.Fatal(err)
		}
	}
	if w.reader.Lost() != 0 {
		w.Fatalf("%d lost", w.reader.Lost())
	}
}

// flow publishes and reads until fn is true.
func (w *way) flow(what string, fn func() bool) {
	w.Helper()
	until(w, what, func() bool {
		w.publish(50)
		w.read()
		return fn()
	})
}

func (w *way) finish() {
	w.Helper()
	until(w, "everything in the mirror", func() bool {
		w.read()
		return w.got == w.sent
	})
}

func TestNothingConfirmedIsLostRepeatedOrReorderedHoweverOftenTheBrokerIsKilled(t *testing.T) {
	for name, o := range map[string]Options{"idempotent": {Partitions: 2}, "transactions": {Transaction: "crash"}} {
		t.Run(name, func(t *testing.T) {
			b := private(t)
			q := open(t, fresh(t, []string{b.Addr()}, o))
			w := newWay(t, q, 1<<20)
			for i := range scaled(20) {
				w.flow("messages before the kill", func() bool { return w.got >= uint64(i+1)*2000 })
				killed := time.Now()
				if err := b.Kill(); err != nil {
					t.Fatal(err)
				}
				started := make(chan error, 1)
				go func() { started <- b.Start() }()
				w.flow("the broker again", func() bool { return len(started) > 0 })
				if err := <-started; err != nil {
					t.Fatal(err)
				}
				up, accepted, got := time.Since(killed), q.Stats().Accepted, w.got
				w.flow("messages accepted again", func() bool { return q.Stats().Accepted > accepted })
				putting := time.Since(killed)
				w.flow("messages that come again", func() bool { return w.got > got })
				t.Logf("killed; %s later it answers, %s it accepts, %s it delivers", up, putting, time.Since(killed))
			}
			w.flow("messages after the last kill", func() bool { return w.got >= uint64(scaled(20)+1)*2000 })
			w.finish()
			t.Logf("%d messages, %+v, %+v, ring full %d times", w.got, w.shipper.Stats(), q.Stats(), w.full)
			if s := w.shipper.Stats(); s.Lost+s.Refused != 0 {
				t.Errorf("%+v", s)
			}
			whole(t, q, w.sent)
		})
	}
}

// whole reads the topic from its beginning and wants every message there, each source's in order but for what is sent again.
func whole(t *testing.T, q *Queue, sent uint64) {
	t.Helper()
	c := consumerOf(t, q, "check")
	batch := make([]mqadapt.Delivery, 64)
	next, again := uint64(1), uint64(0)
	until(t, "the whole topic", func() bool {
		n, err := c.Get(batch, 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range batch[:n] {
			var h seal.Header
			if err := h.Parse(d.Envelope); err != nil {
				t.Fatal(err)
			}
			count, err := seal.Records(d.Envelope[seal.HeaderSize:], h.Seq, 1<<20)
			if err != nil || h.Seq > next {
				t.Fatalf("%d where %d is due: %v", h.Seq, next, err)
			}
			end := h.Seq + uint64(count)
			again += min(next, end) - h.Seq
			next = max(next, end)
		}
		return next == sent+1
	})
	t.Logf("%d messages in the topic, %d of them again", sent, again)
}

func TestBrokerThatStandsStillNeverMakesThePublisherWait(t *testing.T) {
	b := private(t)
	q := open(t, fresh(t, []string{b.Addr()}, Options{Window: 64}))
	w := newWay(t, q, 64<<20)
	alone, err := ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "alone.ring"), Capacity: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	beside, err := alone.Writer()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(beside.Close(), alone.Close()); err != nil {
			t.Error(err)
		}
	}()
	w.flow("messages before", func() bool { return w.got >= 1000 })
	if err := b.Pause(); err != nil {
		t.Fatal(err)
	}
	// What follows ends while the broker stands still, or never.
	stands := time.Now()
	ratio := 10.0
	for range 5 { // a batch into this ring, a batch into one of nobody; the better of some medians, as others use this machine
		var mine, others []time.Duration
		for range 300 {
			began := time.Now()
			w.publish(256)
			between := time.Now()
			for i := range 256 {
				r, err := beside.Claim(48)
				if err != nil {
					t.Fatal(err)
				}
				binary.LittleEndian.PutUint64(r, uint64(i))
				if err := beside.Commit(len(r)); err != nil {
					t.Fatal(err)
				}
			}
			mine, others = append(mine, between.Sub(began)), append(others, time.Since(between))
		}
		slices.Sort(mine)
		slices.Sort(others)
		ratio = min(ratio, float64(mine[150])/float64(others[150]))
	}
	for w.full == 0 { // until the ring has no room and says so
		w.publish(256)
	}
	for range 1000 {
		w.publish(1)
	}
	full := q.Stats().Accepted
	until(t, "the pause's end", func() bool { return time.Since(stands) > time.Duration(scaled(30))*time.Second })
	if w.full < 1000 || q.Stats().Accepted != full {
		t.Errorf("ring full %d times, accepted %d of a broker that stands still", w.full, q.Stats().Accepted-full)
	}
	if err := b.Resume(); err != nil {
		t.Fatal(err)
	}
	t.Logf("a batch costs %.2f times one into a ring of nobody; %d messages waited %s", ratio, w.sent, time.Since(stands))
	if ratio > 1.5 {
		t.Errorf("a batch costs %.2f times one into a ring of nobody", ratio)
	}
	w.finish()
}
