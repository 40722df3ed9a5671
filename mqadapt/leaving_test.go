package mqadapt_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// narrow is a list that takes one envelope in a Put, rejects one of them once, and says so late.
type narrow struct {
	list
	reject int // which; 0: none
	put    int
	asked  int
	why    []error // outcomes to come
}

func (p *narrow) Put(batch []mqadapt.Envelope) (int, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	if p.put++; p.put == p.reject {
		p.why = append(p.why, errors.New("not now"))
		return 1, nil
	}
	p.why = append(p.why, nil)
	return (*putter)(&p.list).Put(batch[:1])
}

func (p *narrow) Settle(out []mqadapt.Outcome, _ time.Duration) (n int, err error) {
	if p.asked++; p.asked%4 != 0 {
		return 0, nil
	}
	for ; n < len(out) && len(p.why) > 0; n++ {
		if out[n] = (mqadapt.Outcome{Verdict: mqadapt.Accepted}); p.why[0] != nil {
			out[n] = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: p.why[0]}
		}
		p.why = p.why[1:]
	}
	return n, nil
}

func (p *narrow) Close() error { return nil }

// A ring leaves a shipper when all that the queue has of it can be taken: a record of which it has a part is completed, and what it took out of
// its turn is led up to. Else whoever takes would wait for what goes another way, which waits for it.
func TestRingLeavesNothingThatCannotBeTaken(t *testing.T) {
	for name, c := range map[string]struct {
		size, reject, steps int
	}{
		"part of a record": {size: 1000, steps: 7},
		"out of its turn":  {size: 8, reject: 3, steps: 9},
		"nothing odd":      {size: 8, steps: 9},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := ring.Create(ring.Options{Heap: true})
			if err != nil {
				t.Fatal(err)
			}
			w, err := source.Writer()
			if err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				if _, err := w.Claim(c.size); err != nil {
					t.Fatal(err)
				}
				if err := w.Commit(c.size); err != nil {
					t.Fatal(err)
				}
			}
			p := &narrow{reject: c.reject}
			s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "c", Body: 128, Window: 4})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Add(source); err != nil {
				t.Fatal(err)
			}
			for range c.steps {
				if _, err := s.Do(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "it leaves", func() bool {
				done := s.Remove(source)
				if _, err := s.Do(); err != nil {
					t.Fatal(err)
				}
				return done
			})
			shared, err := netio.NewMirrors(netio.InboxOptions{Opened: func(*ring.Ring) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer shared.Close()
			k, err := mqadapt.NewTaker((*getter)(&p.list), mqadapt.TakerOptions{Channel: "c", Inbox: netio.InboxOptions{Shared: shared}})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			for range 10 {
				if _, err := k.Do(); err != nil {
					t.Fatal(err)
				}
			}
			if st := k.Stats(); p.acked != uint64(len(p.kept)) || st.Frames == 0 || st.Lost != 0 {
				t.Errorf("%d of %d envelopes are done with: %+v", p.acked, len(p.kept), st)
			}
			if left := s.Stats().Frames; left > 200 {
				t.Errorf("%d frames went into the queue before it left", left)
			}
		})
	}
}

// mortal is a queue whose producers die after so many puts, and that cannot be opened while it is dead.
type mortal struct {
	mu    sync.Mutex
	puts  int // left
	dead  bool
	inner narrow
}

func (m *mortal) Producer() (mqadapt.Producer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errors.New("dead")
	}
	m.inner.why = nil
	return (*mortalPutter)(m), nil
}

func (m *mortal) Consumer(string) (mqadapt.Consumer, error) { return nil, errors.ErrUnsupported }
func (m *mortal) Close() error                              { return nil }

type mortalPutter mortal

func (m *mortalPutter) Put(batch []mqadapt.Envelope) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.puts == 0 && !m.dead {
		m.dead = true
	}
	if m.dead {
		return 0, errors.New("it died")
	}
	n, err := m.inner.Put(batch)
	m.puts -= n
	return n, err
}

func (m *mortalPutter) Settle(out []mqadapt.Outcome, wait time.Duration) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return 0, errors.New("it died")
	}
	return m.inner.Settle(out, wait)
}

func (m *mortalPutter) Close() error { return nil }

// A way whose queue dies with a part of a record in it keeps the ring until the queue has the rest.
func TestWayKeepsARingWhileItsDeadQueueHasAPart(t *testing.T) {
	q := &mortal{puts: 3}
	hub := mqadapt.NewHub(netio.QueueSite{Node: "left"}, mqadapt.Backend{Kind: "mortal", Open: func(netio.QueueLine) (mqadapt.Queue, error) { return q, nil }})
	defer func() {
		if err := hub.Close(); err != nil {
			t.Log(err)
		}
	}()
	w, err := hub.Ship(netio.QueueLine{Channel: "c", Queue: "c", From: "left", Place: "to right"})
	if err != nil {
		t.Fatal(err)
	}
	source, err := ring.Create(ring.Options{Path: filepath.Join(t.TempDir(), "1.ring")})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	const size = 100_000 // several envelopes
	if _, err := writer.Claim(size); err != nil {
		t.Fatal(err)
	}
	if err := writer.Commit(size); err != nil {
		t.Fatal(err)
	}
	if err := w.Add("c", source); err != nil {
		t.Fatal(err)
	}
	dead := func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.dead }
	eventually(t, "it dies amid the record", dead)
	eventually(t, "the way knows", func() bool { return !w.Alive("c") })
	for range 10 {
		if done, err := w.Remove("c", source); done || err != nil {
			t.Fatalf("it let go with a part in the queue: %v", err)
		}
	}
	q.mu.Lock()
	q.dead, q.puts = false, 1000
	q.mu.Unlock()
	eventually(t, "it lets go", func() bool {
		done, err := w.Remove("c", source)
		if err != nil {
			t.Fatal(err)
		}
		return done
	})
	shared, err := netio.NewMirrors(netio.InboxOptions{Opened: func(*ring.Ring) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	q.mu.Lock()
	defer q.mu.Unlock()
	k, err := mqadapt.NewTaker((*getter)(&q.inner.list), mqadapt.TakerOptions{Channel: "c", Inbox: netio.InboxOptions{Shared: shared}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 10 {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if st := k.Stats(); st.Frames != 1 || q.inner.acked != uint64(len(q.inner.kept)) {
		t.Errorf("%d of %d: %+v", q.inner.acked, len(q.inner.kept), st)
	}
}
