package rabbitmq

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

const (
	wayChannel = "way"
	waySize    = 64
	wayBatch   = 256
)

// way is ring → broker → mirror. Both workers are kept by mqadapt.Keep.
type way struct {
	t      *testing.T
	q      *Queue
	dir    string
	ring   *ring.Ring
	writer *ring.Writer
	sent   uint64
	failed atomic.Uint64 // times a worker ended

	opened chan *ring.Ring
	seen   atomic.Bool
	mirror *ring.Ring
	reader *ring.Reader
	got    uint64
}

func newWay(t *testing.T, o Options, capacity int) *way {
	w := &way{t: t, q: open(t, o), dir: t.TempDir(), opened: make(chan *ring.Ring, 1)}
	var err error
	if w.ring, err = ring.Create(ring.Options{Path: filepath.Join(w.dir, "source.ring"), Capacity: capacity}); err == nil {
		w.writer, err = w.ring.Writer()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	keep := func(work func(context.Context) error) {
		wg.Go(func() {
			if err := mqadapt.Keep(ctx, work, func(err error) {
				if w.failed.Add(1); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Log(err)
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
	keep(w.ship)
	keep(w.take)
	t.Cleanup(func() {
		stop()
		wg.Wait()
		if w.reader != nil {
			err = errors.Join(w.reader.Close(), w.mirror.Close())
		}
		if err := errors.Join(err, w.writer.Close(), w.ring.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *way) ship(ctx context.Context) error {
	p, err := w.q.Producer()
	if err != nil {
		return err
	}
	s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: wayChannel, Body: 1024})
	if err == nil {
		err = s.Add(w.ring)
	}
	if err == nil {
		err = s.Run(ctx)
	}
	return errors.Join(err, s.Close())
}

func (w *way) take(ctx context.Context) error {
	c, err := w.q.Consumer("g")
	if err != nil {
		return err
	}
	t, err := mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: wayChannel, Inbox: netio.InboxOptions{Dir: filepath.Join(w.dir, "mirrors"),
		Capacity: 16 << 20, Opened: func(r *ring.Ring) {
			if w.seen.Swap(true) {
				return
			}
			m, err := ring.Attach(r.Info().Path, ring.Options{})
			if err != nil {
				w.t.Error(err)
				return
			}
			w.opened <- m // the test's reader is there before the first frame
			for len(w.opened) > 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		}}})
	if err == nil {
		err = t.Run(ctx)
	}
	return errors.Join(err, t.Close())
}

// publish commits a batch of messages, as many as fit, and returns how long it took, and whether all did.
func (w *way) publish() (took time.Duration, all bool) {
	began := time.Now()
	for range wayBatch {
		b, err := w.writer.Claim(waySize)
		if errors.Is(err, ring.ErrFull) {
			return 0, false
		}
		if err == nil {
			binary.LittleEndian.PutUint64(b, w.sent+1)
			err = w.writer.Commit(waySize)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.sent++
	}
	return time.Since(began), true
}

// read takes what is in the mirror and holds it to being the next.
func (w *way) read() {
	if w.reader == nil {
		select {
		case w.mirror = <-w.opened:
			var err error
			if w.reader, err = w.mirror.Reader(ring.ReaderOptions{From: ring.Oldest}); err != nil {
				w.t.Fatal(err)
			}
		default:
			return
		}
	}
	batch := make([]ring.Record, 256)
	for n := w.reader.Peek(batch); n > 0; n = w.reader.Peek(batch) {
		for i, r := range batch[:n] {
			seq := w.reader.First() + uint64(i)
			if at := binary.LittleEndian.Uint64(r.Payload()); seq != w.got+1 || at != seq {
				w.t.Fatalf("message %d, number %d, where %d is due", at, seq, w.got+1)
			}
			w.got++
		}
		if err := w.reader.Release(n); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.reader.Err(); err != nil || w.reader.Lost() > 0 {
		w.t.Fatalf("%d lost: %v", w.reader.Lost(), err)
	}
}

// until publishes at a pace that the broker bears, and reads, until fn is true.
func (w *way) until(what string, most time.Duration, fn func() bool) {
	w.t.Helper()
	for end := time.Now().Add(most); !fn(); time.Sleep(time.Millisecond) {
		if w.sent-w.got < 20*wayBatch {
			w.publish()
		}
		w.read()
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within %s: %d sent, %d came out, %+v; %s", what, most, w.sent, w.got, w.q.Stats(), w.state())
		}
	}
}

// state is what the broker says of its queues.
func (w *way) state() string {
	b := private(w.t)
	queues, e1 := b.RabbitCtl("list_queues", "name", "type", "state", "messages_ready", "messages_unacknowledged", "consumers")
	consumers, e2 := b.RabbitCtl("list_consumers")
	return fmt.Sprint(queues, consumers, errors.Join(e1, e2), logOf(b.Dir))
}

// logOf is the end of a broker's log.
func logOf(dir string) (end string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "log", "*.log")) // the pattern is a good one
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		end += "\n" + path + ":\n" + string(text[max(0, len(text)-6000):])
	}
	return end
}

// finish wants everything that was published to come out.
func (w *way) finish(most time.Duration) {
	w.t.Helper()
	until(w.t, "all messages in the mirror", most, func() bool { w.read(); return w.got == w.sent })
}

// settled is how long a broker takes to have a new queue on its disk: it writes its directory of quorum queues with a delay of three seconds,
// and one that is killed before does not know them any more.
const settled = 8 * time.Second

// TestBrokerKilledLosesNothing kills a broker amid its work and starts it again, over and over: each message comes out once, in order.
func TestBrokerKilledLosesNothing(t *testing.T) {
	for _, kind := range []Kind{Quorum, Classic, Stream} {
		t.Run(kind.String(), func(t *testing.T) {
			b := private(t)
			w := newWay(t, fresh(t, Options{Kind: kind}), 4<<20)
			time.Sleep(settled)
			kills := scaled(20)
			for kill := range kills {
				w.until("messages before the kill", time.Minute, func() bool { return w.got > uint64(kill*20+1)*wayBatch })
				before := w.failed.Load()
				if err := b.Kill(); err != nil {
					t.Fatal(err)
				}
				w.until("the end of a connection", time.Minute, func() bool { return w.failed.Load() > before })
				if err := b.Start(); err != nil {
					t.Fatal(err)
				}
				got := w.got
				w.until("messages after the restart", time.Minute, func() bool { return w.got > got+20*wayBatch })
			}
			w.finish(2 * time.Minute)
			t.Logf("%d kills, %d messages, %d ends of workers, %+v", kills, w.got, w.failed.Load(), w.q.Stats())
		})
	}
}

// newAlone is a ring that nobody reads, once round: a call writes a batch and says how long that took.
func newAlone(t *testing.T, capacity int) func() time.Duration {
	r, err := ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "alone.ring"), Capacity: capacity})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	})
	batch := func() time.Duration {
		began := time.Now()
		for range wayBatch {
			b, err := w.Claim(waySize)
			if err == nil {
				binary.LittleEndian.PutUint64(b, w.Seq())
				err = w.Commit(len(b))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(began)
	}
	for range capacity / waySize / wayBatch {
		batch()
	}
	return batch
}

// TestStalledBrokerCostsThePublisherNothing: its ring is written at the same price, nothing waits, and all of it comes out afterwards.
func TestStalledBrokerCostsThePublisherNothing(t *testing.T) {
	const capacity = 4 << 20
	for _, c := range []struct {
		name           string
		stall, recover func(t *testing.T)
	}{
		{"memory alarm", watermark("1MB"), watermark("1GiB")},
		{"stopped", func(t *testing.T) {
			if err := private(t).Pause(); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T) {
			if err := private(t).Resume(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWay(t, fresh(t, Options{Patience: 2 * time.Second}), capacity)
			w.until("once round the ring: its pages are there", time.Minute, func() bool { return w.got*waySize > capacity })
			w.finish(time.Minute)
			alone := newAlone(t, capacity)
			// Bursts of batches, each beside one into a ring of nobody, and what they cost of that.
			measure := func(bursts int, between time.Duration) float64 {
				var all, others []time.Duration
				for range bursts {
					for range 20 {
						took, ok := w.publish()
						if !ok {
							t.Fatalf("the ring is full after %d batches", len(all))
						}
						all, others = append(all, took), append(others, alone())
					}
					for end := time.Now().Add(between); time.Now().Before(end); time.Sleep(time.Millisecond) {
						w.read()
					}
				}
				slices.Sort(all)
				slices.Sort(others)
				return float64(all[len(all)/2]) / float64(others[len(others)/2])
			}
			before := measure(5, time.Second)
			c.stall(t)
			stalled := 0.0
			func() {
				defer c.recover(t)
				stalled = measure(5, time.Duration(scaled(6000))*time.Millisecond) // 30 s at full length
				for i := 0; ; i++ {                                                // the ring is full: it says so at once
					if _, ok := w.publish(); !ok {
						break
					}
					if i > 1000 {
						t.Fatal("a ring without an end")
					}
				}
			}()
			w.finish(2 * time.Minute)
			after := measure(5, time.Second)
			w.finish(time.Minute)
			t.Logf("a batch of %d costs %.2f of one into a ring of nobody before, %.2f while the broker stands still, %.2f after; %d messages, %+v",
				wayBatch, before, stalled, after, w.got, w.q.Stats())
			if stalled > 10 { // a wait would be a thousand times as long
				t.Errorf("a batch costs %.2f of one into a ring of nobody while the broker stands still", stalled)
			}
		})
	}
}

func watermark(to string) func(*testing.T) {
	return func(t *testing.T) {
		if _, err := private(t).RabbitCtl("set_vm_memory_high_watermark", "absolute", to); err != nil {
			t.Fatal(err)
		}
	}
}
