package mqadapt_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// publish writes the numbers from the ring's next one up to last.
func publish(t *testing.T, w *ring.Writer, last uint64) {
	t.Helper()
	for w.Seq() <= last {
		b, err := w.Claim(8)
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint64(b, w.Seq())
		if err := w.Commit(8); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal("never:", what)
		}
	}
}

// A ring that leaves a shipper has its place behind what was accepted, for the next of its name; the others go on.
func TestRingThatLeavesAShipperGoesOnElsewhere(t *testing.T) {
	var rings [2]*ring.Ring
	var writers [2]*ring.Writer
	for i := range rings {
		var err error
		if rings[i], err = ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "1.ring")}); err != nil {
			t.Fatal(err)
		}
		if writers[i], err = rings[i].Writer(); err != nil {
			t.Fatal(err)
		}
	}
	late := &putter{}
	s, err := mqadapt.NewShipper(late, mqadapt.ShipperOptions{Channel: "c", Name: "to right"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, r := range rings {
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
		publish(t, writers[i], 10)
	}
	if _, err := s.Do(); err != nil { // put, and no outcome taken
		t.Fatal(err)
	}
	publish(t, writers[0], 20)
	if s.Remove(rings[0]) {
		t.Fatal("it left with envelopes under way")
	}
	for range 3 {
		if _, err := s.Do(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // asking again changes nothing
		if !s.Remove(rings[0]) {
			t.Fatal("it stays")
		}
	}
	r, err := rings[0].Reader(ring.ReaderOptions{Name: "to right", Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Owed() != 11 {
		t.Errorf("the next of its name begins with %d", r.Owed())
	}
	publish(t, writers[1], 30)
	eventually(t, "the other ring goes on", func() bool {
		if _, err := s.Do(); err != nil {
			t.Fatal(err)
		}
		return s.Stats().Frames == 10+30
	})
}

// slow is a queue whose group takes when it is told to.
type slow struct {
	mu      sync.Mutex
	backlog uint64
	fail    error
	list
}

func (s *slow) Producer() (mqadapt.Producer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &slowPutter{(*putter)(&s.list), s}, s.fail
}

type slowPutter struct {
	*putter
	slow *slow
}

func (p *slowPutter) Put(batch []mqadapt.Envelope) (int, error) {
	p.slow.mu.Lock()
	defer p.slow.mu.Unlock()
	p.slow.backlog += uint64(len(batch))
	return p.putter.Put(batch)
}

func (s *slow) Backlog(string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backlog, nil
}

func (s *slow) set(backlog uint64, fail error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backlog, s.fail = backlog, fail
}

// A way into a queue is drained once it carries nothing and the other node has all of it; until then a file says so to the next life.
func TestWayIntoAQueueIsDrainedWhenAllIsTaken(t *testing.T) {
	q := &slow{fail: errors.New("no broker")}
	hub := mqadapt.NewHub(netio.QueueSite{Node: "left"}, mqadapt.Backend{Kind: "slow", Open: func(netio.QueueLine) (mqadapt.Queue, error) { return q, nil }})
	defer func() {
		if err := hub.Close(); err != nil {
			t.Error(err)
		}
	}()
	mark := filepath.Join(t.TempDir(), "mark")
	there := func() bool { _, err := os.Lstat(mark); return err == nil }
	line := netio.QueueLine{Channel: "c", Queue: "c", From: "left", To: "right", Place: "to right", Mark: mark}
	w, err := hub.Ship(line)
	if err != nil {
		t.Fatal(err)
	}
	if !w.Drained() || w.Alive("c") {
		t.Error("nothing was put, and nothing can be")
	}
	r, err := ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "1.ring")})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	publish(t, writer, 10)
	if err := w.Add("c", r); err != nil || w.Drained() || !there() {
		t.Fatal(err, w.Drained(), there())
	}
	q.set(0, nil)
	eventually(t, "it lives", func() bool { return w.Alive("c") })
	eventually(t, "it ships", func() bool { n, _ := q.Backlog(""); return n > 0 })
	eventually(t, "the ring is let go", func() bool {
		done, err := w.Remove("c", r)
		if err != nil {
			t.Fatal(err)
		}
		return done
	})
	eventually(t, "the backlog counts", func() bool { return w.Lag("c") > 0 })
	if w.Drained() || !there() {
		t.Error("the other node has nothing yet")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w, err = hub.Ship(line); err != nil {
		t.Fatal(err)
	}
	if w.Drained() {
		t.Error("the next life forgot")
	}
	q.set(0, nil)
	eventually(t, "it is drained", w.Drained)
	if there() {
		t.Error("the mark stays")
	}
}

// What a queue and another way bring to one mirror comes once, whichever is ahead.
func TestTakerSharesItsMirrorsWithAnotherWay(t *testing.T) {
	source, err := ring.Create(ring.Options{Heap: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w, 30)
	l := &list{}
	s, err := mqadapt.NewShipper((*putter)(l), mqadapt.ShipperOptions{Channel: "c", Body: 64}) // two messages in each envelope
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Add(source); err != nil {
		t.Fatal(err)
	}
	for !s.Idle() {
		if _, err := s.Do(); err != nil {
			t.Fatal(err)
		}
	}
	var mirror *ring.Reader
	shared, err := netio.NewMirrors(netio.InboxOptions{Opened: func(r *ring.Ring) { mirror, _ = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	other, err := netio.NewInbox(netio.InboxOptions{Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	m, err := other.Open(source.Info().Instance, 1)
	if err != nil || !m.Enter() {
		t.Fatal(err)
	}
	reader, err := source.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	run, n := reader.PeekRun(15 * 24)
	if err := m.Bring(uint32(reader.Epoch()), 1, 0, run, n); err != nil {
		t.Fatal(err)
	}
	m.Flush()
	k, err := mqadapt.NewTaker((*getter)(l), mqadapt.TakerOptions{Channel: "c", Inbox: netio.InboxOptions{Shared: shared}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if done, err := k.Do(); done != 0 || err != nil {
		t.Errorf("%d deliveries done while another way is in the mirror: %v", done, err)
	}
	m.Leave()
	for range 10 {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	batch, next := make([]ring.Record, 64), uint64(1)
	for _, r := range batch[:mirror.Peek(batch)] {
		if got := binary.LittleEndian.Uint64(r.Payload()); got != next {
			t.Fatalf("%d where %d is due", got, next)
		}
		next++
	}
	if st := k.Stats(); next != 31 || st.Frames != 30-uint64(n) || st.Repeated != uint64(n) || mirror.Lost() != 0 || l.acked == 0 {
		t.Errorf("up to %d, %d from the other way, %+v, %d lost", next-1, n, st, mirror.Lost())
	}
	if !m.Enter() {
		t.Error("the taker stays in the mirror")
	}
	m.Leave()
}
