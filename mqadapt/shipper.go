package mqadapt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// Bounds and defaults of ShipperOptions.
const (
	DefaultWindow = 256
	DefaultBody   = 16 << 10

	putAtOnce   = 32 // envelopes in one Put
	settleMost  = 256
	leastRetry  = time.Millisecond
	mostRetry   = time.Second
	leastPause  = 50 * time.Microsecond
	mostPause   = time.Millisecond
	anyRecord   = 1<<28 - 1
	durableName = "queue"
)

// ShipperOptions say how rings are carried into a queue.
type ShipperOptions struct {
	// Channel is the channel's name.
	Channel string

	// Name is that of the durable reader in each ring: two shippers of one ring, to two queues, have two names. Empty means "queue".
	Name string

	// Window is how many envelopes are under way at most; 0 means DefaultWindow.
	Window int

	// Body is how many bytes of records an envelope has at most; 0 means DefaultBody. A larger record travels in fragments.
	Body int

	// Separate has each envelope carry one message, for consumers that expect that.
	Separate bool

	// Codec compresses envelopes of whole records; nil: none. It belongs to this shipper alone.
	Codec seal.Codec

	// Secret, if set, seals every envelope (seal.Store): the queue can neither read nor change them.
	Secret *seal.Secret

	// Traced, if set, is told of traced frames that are put. It runs on the shipper's goroutine and must not block.
	Traced netio.Traced

	carried *timing // how old messages are when they are put; nil: nobody wants to know
}

func (o ShipperOptions) checked() (ShipperOptions, error) {
	if o.Name == "" {
		o.Name = durableName
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.Body == 0 {
		o.Body = DefaultBody
	}
	var faults []error
	if o.Channel == "" {
		faults = append(faults, fmt.Errorf("mqadapt: %w: a shipper without a channel", ErrOptions))
	}
	if o.Window < 1 {
		faults = append(faults, fmt.Errorf("mqadapt: %w: window of %d envelopes", ErrOptions, o.Window))
	}
	most := seal.MaxBody
	if o.Secret != nil {
		most -= seal.StoreOverhead
	}
	if o.Body < 64 || o.Body > most {
		faults = append(faults, fmt.Errorf("mqadapt: %w: envelopes of %d bytes, not 64 to %d", ErrOptions, o.Body, most))
	}
	return o, errors.Join(faults...)
}

// Shipper carries what rings hold into a queue. It is a worker: Do carries at most a batch and waits for nothing but what its Producer's Put
// and Settle take. It belongs to one goroutine, but for Add and Stats. The zero Shipper is not valid: use NewShipper.
//
// It reads with durable cursors, and a cursor moves only behind what the queue has accepted. When an envelope is not accepted, the Shipper
// waits until nothing of that ring is under way, goes back to the cursor, and sends on from there: what was accepted meanwhile is repeated,
// and a Taker drops it.
type Shipper struct {
	options  ShipperOptions
	channel  uint32
	producer Producer

	feeds  []*feed
	turn   int
	flight []flight // under way, in order, from head on
	head   int
	batch  []Envelope
	way    []flight // of the batch
	out    []Outcome
	slab   []byte // a fragment or a lost
	dress  dress
	meter  meter
	retry  time.Duration
	again  time.Time // nothing is put before
	ended  error

	mu      sync.Mutex
	added   []*feed
	has     map[*ring.Ring]bool // rings, and whether they are to be let go
	leaving atomic.Bool         // some are
	fresh   atomic.Bool
	closed  bool

	counts struct{ envelopes, frames, unknown, rejected, refused, lost atomic.Uint64 }
	why    atomic.Pointer[error]
}

// flight is one envelope that has no outcome yet.
type flight struct {
	feed        *feed
	first, last uint64 // the frames it completes or says to be lost; none for a part of one
	whole       bool
	frames      int
	size        int    // as it travels
	stamp       uint64 // of its first frame
	was         place  // of the feed before it
	pos         uint64
}

// NewShipper makes a shipper that puts into p, which it owns from then on.
func NewShipper(p Producer, o ShipperOptions) (*Shipper, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	d, err := newDress(&o)
	if err != nil {
		return nil, err
	}
	return &Shipper{options: o, channel: seal.ChannelID(o.Channel), dress: d, meter: newMeter(o.Codec), producer: p, retry: leastRetry, has: map[*ring.Ring]bool{}, flight: make([]flight, 0, 2*o.Window),
		batch: make([]Envelope, 0, putAtOnce), way: make([]flight, 0, putAtOnce), out: make([]Outcome, settleMost),
		slab: make([]byte, o.Body+seal.FragmentHeader)}, nil
}

// Add has the shipper carry a ring, too, from the oldest record that it holds or from where a shipper of this name stopped. It may be called
// from any goroutine. ring.ErrClosed says that the shipper is closed.
func (s *Shipper) Add(r *ring.Ring) error { return s.add(r, 0) }

// add is Add of a ring of which the queue may have something up to a number that nobody can take alone.
func (s *Shipper) add(r *ring.Ring, high uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, ring.ErrClosed)
	}
	f, err := newFeed(r, s.options.Name)
	if err != nil {
		return fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, err)
	}
	f.high = high
	s.added, s.has[r] = append(s.added, f), false
	s.fresh.Store(true)
	return nil
}

// Remove has the shipper carry a ring no more. It reports false until what is under way has its outcome and a Do has let go, and is asked
// again. A record of which the queue has a part is completed first, and what the queue took out of its turn is led up to: whoever takes from it
// could be done with neither. The place in the ring stays, behind what was accepted, for whoever of its name carries the ring next. It may be called from any
// goroutine.
func (s *Shipper) Remove(r *ring.Ring) (done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.has[r]; !ok || s.closed {
		return true
	}
	s.has[r] = true
	s.leaving.Store(true)
	return false
}

// letGo gives back the rings that are to leave and have nothing under way.
func (s *Shipper) letGo() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []error
	left := false
	for r, leaves := range s.has {
		if !leaves {
			continue
		}
		i := slices.IndexFunc(s.feeds, func(f *feed) bool { return f.ring == r })
		if i >= 0 {
			f := s.feeds[i]
			if f.leaves = true; f.out > 0 || f.owes() && f.reader.Err() == nil {
				left = true
				continue
			}
			f.gone = true
			faults = append(faults, f.reader.HandOver())
			s.feeds = slices.Delete(s.feeds, i, i+1)
		}
		delete(s.has, r)
	}
	s.leaving.Store(left)
	return errors.Join(faults...)
}

// debts are the rings of which the queue has, or may have, something that nobody can take alone, and up to which number. It belongs to the
// goroutine of Do.
func (s *Shipper) debts() map[*ring.Ring]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	owed := map[*ring.Ring]uint64{}
	for _, f := range append(slices.Clone(s.feeds), s.added...) {
		high := f.high
		for _, w := range s.flight[s.head:] {
			if w.feed == f && !w.whole {
				high = max(high, w.last)
			}
		}
		if high >= f.confirmed {
			owed[f.ring] = high
		}
	}
	return owed
}

func (s *Shipper) adopt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feeds, s.added = append(s.feeds, s.added...), nil
	s.fresh.Store(false)
}

// Do takes outcomes and puts the next envelopes, and returns how many of both. An error that concerns one ring takes it out, and the shipper
// goes on with the others. An error of the producer is final: Do answers it from then on, and what was not accepted is still in the rings, for
// the next shipper of this name.
func (s *Shipper) Do() (n int, err error) {
	if s.ended != nil {
		return 0, s.ended
	}
	if s.fresh.Load() {
		s.adopt()
	}
	err = sys.Guard(func() error {
		n, err = s.do()
		return err
	})
	return n, err
}

func (s *Shipper) do() (int, error) {
	settled, err := s.settle()
	if err != nil {
		s.ended = fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, err)
		return settled, s.ended
	}
	if s.leaving.Load() {
		if err := s.letGo(); err != nil {
			return settled, err
		}
	}
	if !s.again.IsZero() {
		if time.Now().Before(s.again) {
			return settled, nil
		}
		s.again = time.Time{}
	}
	sent := 0
	for range s.feeds {
		if s.turn >= len(s.feeds) {
			s.turn = 0
		}
		f := s.feeds[s.turn]
		n, err := s.carry(f)
		sent += n
		if s.ended != nil {
			return settled + sent, s.ended
		}
		if err != nil {
			return settled + sent, s.drop(f, err)
		}
		s.turn++
	}
	return settled + sent, nil
}

// settle takes the outcomes there are.
func (s *Shipper) settle() (n int, err error) {
	for s.head < len(s.flight) {
		k, err := s.producer.Settle(s.out[:min(len(s.out), len(s.flight)-s.head)], 0)
		if err != nil {
			return n, err
		}
		for i, o := range s.out[:k] {
			if err := s.landed(&s.flight[s.head+i], o); err != nil {
				return n, err
			}
		}
		s.head += k
		n += k
		if k < len(s.out) {
			break
		}
	}
	if s.head == len(s.flight) || s.head > s.options.Window {
		s.flight = s.flight[:copy(s.flight, s.flight[s.head:])]
		s.head = 0
	}
	return n, nil
}

// landed is one outcome.
func (s *Shipper) landed(w *flight, o Outcome) error {
	f := w.feed
	f.out--
	if o.Verdict == Accepted {
		s.retry, f.heard = leastRetry, true
		s.meter.accepted(w.size)
		f.high = max(f.high, w.last)
		if f.back || !w.whole { // what comes after one that was not accepted is sent again, in order
			return nil
		}
		if w.frames == 0 {
			s.counts.lost.Add(w.last - w.first + 1)
		}
		s.counts.frames.Add(uint64(w.frames))
		if f.gone {
			return nil
		}
		return f.release(w.last + 1)
	}
	if o.Verdict == Unknown {
		s.counts.unknown.Add(1)
	} else {
		s.counts.rejected.Add(1)
	}
	if f.back {
		return nil
	}
	f.back = true
	why := o.Why
	if why == nil {
		why = fmt.Errorf("an envelope's outcome is %s", o.Verdict)
	}
	s.why.Store(&why)
	if errors.Is(o.Why, ErrRefused) { // never: say so in its place
		s.counts.refused.Add(1)
		f.given = seal.Range{First: w.first, Last: w.last}
		return nil
	}
	s.again = time.Now().Add(s.retry)
	s.retry = min(2*s.retry, mostRetry)
	return nil
}

// carry puts the next envelopes of a ring, at most a batch.
func (s *Shipper) carry(f *feed) (n int, err error) {
	if f.leaves && !f.owes() {
		return 0, nil
	}
	if f.back {
		if f.out > 0 {
			return 0, nil
		}
		if err := f.rewind(); err != nil {
			return 0, err
		}
	}
	room := min(putAtOnce, s.options.Window-(len(s.flight)-s.head))
	if !f.heard { // a taker that meets a source begins with what comes first: nothing may overtake that
		room = min(room, 1-f.out)
	}
	if f.leaves { // no more than it owes
		room = min(room, 1-f.out)
	}
	s.batch, s.way = s.batch[:0], s.way[:0]
	if s.meter.observer != nil && room > 0 {
		s.meter.observe(f.reader.Lag(), time.Now())
	}
	for len(s.batch) < room {
		e, w, ok := f.next(s)
		if !ok {
			break
		}
		if err := s.dress.on(&e, len(s.batch)); err != nil {
			return 0, err
		}
		w.size = e.Size()
		s.batch, s.way = append(s.batch, e), append(s.way, w)
		if e.Kind != seal.Data || e.Traced { // it lies in the slab
			break
		}
	}
	if len(s.batch) == 0 {
		return 0, f.reader.Err()
	}
	n, err = s.producer.Put(s.batch)
	s.flight = append(s.flight, s.way[:n]...)
	f.out += n
	s.counts.envelopes.Add(uint64(n))
	s.options.carried.put(s.way[:n])
	if err != nil {
		s.ended = fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, err)
		return n, s.ended
	}
	if n < len(s.batch) { // not now: the rest is read again
		return n, f.putBack(&s.way[n])
	}
	return n, nil
}

// drop takes a ring out. One that evicted the shipper comes back, and what it overwrote is told as lost.
func (s *Shipper) drop(f *feed, err error) error {
	f.gone = true
	for i, one := range s.feeds {
		if one == f {
			s.feeds = append(s.feeds[:i], s.feeds[i+1:]...)
			break
		}
	}
	err = errors.Join(fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, err), f.reader.Close())
	if errors.Is(err, ring.ErrEvicted) {
		if again, e := newFeed(f.ring, s.options.Name); e == nil {
			again.due = min(f.confirmed, again.due)
			s.feeds = append(s.feeds, again)
			return err
		} else {
			err = errors.Join(err, e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.has, f.ring)
	return err
}

// Run calls Do until ctx ends or the producer does. It looks for work at least every millisecond.
func (s *Shipper) Run(ctx context.Context) error {
	return repeat(ctx, func() (int, error) {
		n, err := s.Do()
		if err != nil && s.ended == nil {
			s.why.Store(&err)
			err = nil // one ring of several
		}
		return n, err
	})
}

// repeat is the loop of a worker on an ordinary goroutine.
func repeat(ctx context.Context, do func() (int, error)) error {
	for pause := leastPause; ; {
		n, err := do()
		if err != nil {
			return err
		}
		if n > 0 {
			pause = leastPause
			if ctx.Err() == nil {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, mostPause)
		}
	}
}

// Idle reports whether everything that the rings held when it was asked is accepted.
func (s *Shipper) Idle() bool {
	if s.fresh.Load() || s.head < len(s.flight) {
		return false
	}
	for _, f := range s.feeds {
		if f.back || f.reader.Lag() > 0 {
			return false
		}
	}
	return true
}

// Lag is how many bytes of the rings are not accepted. It belongs to the goroutine of Do.
func (s *Shipper) Lag() (n uint64) {
	for _, f := range s.feeds {
		n += f.reader.Lag()
	}
	return n
}

// ShipperStats is what a shipper has done.
type ShipperStats struct {
	Envelopes uint64 // taken by the queue
	Frames    uint64 // accepted
	Unknown   uint64 // outcomes that were so
	Rejected  uint64
	Refused   uint64 // envelopes that the queue will never take; their frames were given up
	Lost      uint64 // frames that a ring overwrote before they were read, and those given up
}

// Stats may be called from any goroutine.
func (s *Shipper) Stats() ShipperStats {
	c := &s.counts
	return ShipperStats{c.envelopes.Load(), c.frames.Load(), c.unknown.Load(), c.rejected.Load(), c.refused.Load(), c.lost.Load()}
}

// Trouble returns why the queue last did not accept something, or a ring was taken out; nil when that never was. It may be called from any
// goroutine.
func (s *Shipper) Trouble() error {
	if p := s.why.Load(); p != nil {
		return *p
	}
	return nil
}

// Close closes producer and readers. What the queue has not accepted stays in the rings for the next shipper of this name.
func (s *Shipper) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	faults := []error{unlessClosed(s.producer.Close())}
	for _, f := range append(s.feeds, s.added...) {
		faults = append(faults, f.reader.Close())
	}
	s.ended = fmt.Errorf("mqadapt: shipper of channel %q: %w", s.options.Channel, ErrClosed)
	return errors.Join(faults...)
}

// unlessClosed: what its queue closed already is no fault of Close.
func unlessClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}
