package mqadapt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

const (
	askEvery  = 50 * time.Millisecond // between two looks at a group's backlog
	askSoon   = 2 * time.Millisecond  // while another way waits for its end
	stillFor  = time.Second           // a queue that accepts nothing for so long, while something waits, counts as dead
	meanGuess = 256                   // bytes of an envelope, before one was seen
)

// shipping is a line whose queue is put into: a netio.Way of rings. Its goroutine opens the queue, ships, and looks how far behind the other
// node is.
type shipping struct {
	hub  *Hub
	line netio.QueueLine
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	rings   map[*ring.Ring]bool   // to carry; false: to be let go
	shipper *Shipper              // nil while the queue is not open
	owed    map[*ring.Ring]uint64 // what the last shipper left undone: Shipper.debts
	moves   uint64                // of rings, so that a backlog asked before one says nothing

	alive   atomic.Bool
	drained atomic.Bool
	lag     atomic.Uint64
	said    string // run's own, and what follows
	unasked error  // why the backlog is not known
	bytes   uint64
	count   uint64
	ended   error

	lives   lives[ShipperStats]
	carried timing
}

var _ netio.QueueWay = (*shipping)(nil)

func newShipping(h *Hub, l netio.QueueLine) *shipping {
	ctx, stop := context.WithCancel(context.Background())
	w := &shipping{hub: h, line: l, stop: stop, rings: map[*ring.Ring]bool{}}
	if l.To != "" && l.Mark != "" {
		_, err := os.Lstat(l.Mark)
		w.drained.Store(errors.Is(err, fs.ErrNotExist))
	}
	w.done.Go(func() { w.run(ctx) })
	return w
}

// Add has the way carry a ring from where the place of its name stands, now or as soon as the queue can be opened.
func (w *shipping) Add(channel string, r *ring.Ring) error {
	if channel != w.line.Channel {
		return fmt.Errorf("mqadapt: %w: channel %q in the queue of %q", ErrOptions, channel, w.line.Channel)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rings[r] {
		return nil
	}
	if _, leaving := w.rings[r]; leaving {
		return fmt.Errorf("mqadapt: channel %q: a ring that is being let go", channel)
	}
	w.moves++
	if w.drained.Load() {
		if err := w.mark(); err != nil {
			return err
		}
		w.drained.Store(false)
	}
	if w.shipper != nil {
		if err := w.shipper.Add(r); err != nil {
			return err
		}
	}
	w.rings[r] = true
	return nil
}

// mark leaves word for the node's next life: what a ring's place has passed may be in the queue alone.
func (w *shipping) mark() error {
	if w.line.Mark == "" {
		return nil
	}
	f, err := os.OpenFile(w.line.Mark, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mqadapt: channel %q: %w", w.line.Channel, err)
	}
	return f.Close()
}

// Remove has it carry the ring no more.
func (w *shipping) Remove(_ string, r *ring.Ring) (done bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.rings[r]; !ok {
		return true, nil
	}
	w.rings[r] = false
	if w.shipper != nil && !w.shipper.Remove(r) || w.shipper == nil && w.owed[r] > 0 {
		return false, nil
	}
	w.moves++
	delete(w.rings, r)
	delete(w.owed, r)
	return true, nil
}

// Alive reports whether the queue is open and accepts.
func (w *shipping) Alive(string) bool { return w.alive.Load() }

// Lag is about how many bytes the node that takes from the queue has not got: those not accepted, and those in the queue.
func (w *shipping) Lag(string) uint64 { return w.lag.Load() }

// Drained reports whether the other node has all that was put, and nothing is being put.
func (w *shipping) Drained() bool { return w.drained.Load() }

// Close lets go of all rings. What is not accepted stays in them.
func (w *shipping) Close() error {
	w.stop()
	w.done.Wait()
	w.hub.left(w)
	return w.ended
}

// run ships until ctx ends. A queue that fails is opened again, with a pause that doubles up to mostRetry.
func (w *shipping) run(ctx context.Context) {
	for pause := leastRetry; ctx.Err() == nil; pause = min(2*pause, mostRetry) {
		began := time.Now()
		err := w.once(ctx)
		w.alive.Store(false)
		if ctx.Err() != nil {
			w.ended = err
			return
		}
		w.hub.trouble(&w.said, &w.line, err)
		if time.Since(began) > mostRetry {
			pause = leastRetry
		}
		rest(ctx, pause)
	}
}

// once ships until something fails.
func (w *shipping) once(ctx context.Context) (err error) {
	q, err := w.hub.backend.Open(w.line)
	if err != nil {
		return err
	}
	g := newGauge(q)
	defer g.end()
	defer func() { err = errors.Join(err, unlessClosed(q.Close())) }()
	if g.queue == nil && w.line.To != "" {
		return fmt.Errorf("mqadapt: channel %q: %w: %s does not say what a node has not taken, so nothing could follow it on another way", w.line.Channel,
			errors.ErrUnsupported, w.hub.backend.Kind)
	}
	codec, err := packer(&w.line)
	if err != nil {
		return err
	}
	p, err := q.Producer()
	if err != nil {
		return err
	}
	s, err := NewShipper(&scale{Producer: p, w: w}, ShipperOptions{Channel: w.line.Channel, Name: w.line.Place, Secret: w.line.Secret, Codec: codec,
		Traced: w.hub.site.Traced, carried: &w.carried})
	if err != nil {
		return errors.Join(err, p.Close())
	}
	defer w.lives.begin(s.Stats)()
	if err := w.begin(s); err != nil {
		return errors.Join(err, s.Close())
	}
	defer func() { err = errors.Join(err, w.finish(s)) }()
	return w.ship(ctx, g, s)
}

// begin has a new shipper carry what the way carries.
func (w *shipping) begin(s *Shipper) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, stays := range w.rings {
		if !stays && w.owed[r] == 0 {
			continue // no shipper has it: it is let go when that is asked again
		}
		err := s.add(r, w.owed[r])
		switch {
		case err != nil && stays:
			return err
		case err != nil: // nothing of it can be had any more
			delete(w.owed, r)
		case !stays:
			s.Remove(r)
		}
	}
	w.shipper = s
	return nil
}

func (w *shipping) finish(s *Shipper) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shipper, w.owed = nil, s.debts()
	return unlessClosed(s.Close())
}

// ship runs the shipper, and looks at it.
func (w *shipping) ship(ctx context.Context, g *gauge, s *Shipper) error {
	var asked, moved time.Time
	var had, backlog uint64
	return repeat(ctx, func() (int, error) {
		n, err := s.Do()
		if err != nil && s.ended != nil {
			return n, err
		}
		now := time.Now()
		if now.Sub(asked) < w.pace() {
			return n, nil
		}
		asked = now
		own := s.Lag()
		if sent := s.Stats().Frames; sent != had || own == 0 || moved.IsZero() {
			had, moved = sent, now
		}
		alive := now.Sub(moved) < stillFor
		if alive {
			w.hub.trouble(&w.said, &w.line, w.unasked)
		} else {
			w.hub.trouble(&w.said, &w.line, s.Trouble())
		}
		w.alive.Store(alive)
		if w.line.To != "" {
			backlog = w.look(g, backlog)
		}
		w.lag.Store(own + backlog*w.mean())
		return n, nil
	})
}

// pace is the time between two looks.
func (w *shipping) pace() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rings) == 0 && !w.drained.Load() {
		return askSoon
	}
	return askEvery
}

// look takes what the queue said of how far behind the other node is, and asks again.
func (w *shipping) look(g *gauge, before uint64) uint64 {
	if a, ok := g.heard(); ok {
		before = w.heard(a, before)
	}
	w.mu.Lock()
	idle, moves := len(w.rings) == 0, w.moves
	w.mu.Unlock()
	if idle && w.drained.Load() {
		return 0
	}
	g.ask(w.line.To, idle, moves)
	return before
}

// heard takes an answer. It says that the way is drained only if no ring was carried since before it was asked for.
func (w *shipping) heard(a answer, before uint64) uint64 {
	if w.unasked = a.err; a.err != nil {
		return before
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.idle && a.backlog == 0 && w.moves == a.moves {
		if err := os.Remove(w.line.Mark); w.line.Mark != "" && err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.hub.trouble(&w.said, &w.line, err)
			return a.backlog
		}
		w.drained.Store(true)
	}
	return a.backlog
}

// mean is how many bytes an envelope has.
func (w *shipping) mean() uint64 {
	if w.count == 0 {
		return meanGuess
	}
	return w.bytes / w.count
}

// scale weighs what is put.
type scale struct {
	Producer
	w *shipping
}

// Put counts the bytes that were taken.
func (s *scale) Put(batch []Envelope) (n int, err error) {
	n, err = s.Producer.Put(batch)
	for i := range batch[:n] {
		s.w.bytes += uint64(batch[i].Size())
	}
	s.w.count += uint64(n)
	return n, err
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
