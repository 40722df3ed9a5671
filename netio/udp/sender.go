package udp

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	backEvery  = 8                    // Dos between two looks at what receivers say, while there is something to send
	tickEvery  = time.Millisecond     // between two looks at heartbeats, silence and rates
	heartFirst = 2 * time.Millisecond // silence after which the first heartbeat goes out; each further one takes twice as long
)

// Sender carries a channel's rings to receivers. It is a worker: Do sends what is there, and nothing waits. It belongs to
// one goroutine, but for Add, Stats, Rotate and SetSecret. The zero Sender is not valid: use NewSender.
type Sender struct {
	options SenderOptions
	channel uint32
	wires   []*wire
	feeds   []*feed
	turn    int  // the feed that is filled first
	news    bool // come before repairs, which had the last turn
	unsent  bool
	looks   int // Dos until the next look at what receivers say
	clock   clock
	tickAt  time.Duration
	paced   pace
	rate    rate
	inbound *sys.RecvBatch
	packed  []byte // where the codec puts a body
	scratch []byte
	hellos  int64 // hellos that may be answered until the next tick
	tally
	standing standing
	rotate   atomic.Bool
	next     atomic.Pointer[seal.Secret] // see SetSecret
	changed  atomic.Bool
	mu       sync.Mutex
	added    []*feed
	rings    map[*ring.Ring]bool // of feeds
	leaving  []*ring.Ring
	closed   bool
}

// NewSender opens the sockets and allocates everything but what a ring needs, see Add. It must be called in the network
// namespace it sends in.
func NewSender(o SenderOptions) (*Sender, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	s := &Sender{options: o, channel: seal.ChannelID(o.Channel), clock: newClock(), tally: newTally(), scratch: make([]byte, 2048),
		rings: map[*ring.Ring]bool{}}
	s.paced.rate = min(o.Pace, math.MaxInt64/MaxLines) * int64(len(o.Lines)) // what all of them carry is counted together
	if o.Codec != nil {
		s.packed = make([]byte, sys.MaxDatagram)
	}
	for i, l := range o.Lines {
		w, err := dial(&o, l)
		if err != nil {
			return nil, errors.Join(onLine(o.Channel, i, err), s.Close())
		}
		w.path = uint8(i)
		w.reset()
		s.wires = append(s.wires, w)
	}
	if s.inbound, err = sys.NewRecvBatch(1, 2048); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Add has the sender carry a ring, too. It may be called from any goroutine, and opens a gating reader: of a repaired
// channel a durable one, which a successor of this sender takes over. The ring must outlive the sender.
func (s *Sender) Add(r *ring.Ring) error {
	f, err := newFeed(&s.options, r)
	if err != nil {
		return onChannel(s.options.Channel, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(onChannel(s.options.Channel, ring.ErrClosed), f.reader.Close())
	}
	s.added = append(s.added, f)
	s.changed.Store(true)
	return nil
}

// Remove has the sender carry a ring no more. It may be called from any goroutine, and reports false until the sender's own has let go of
// the ring, at one of its next Dos: then it is asked again. What is not confirmed stays in a ring that has a path: the sender's place
// there gates on, for another sender of the same Name and *ring.Ring, until ring.Ring.Forget.
func (s *Sender) Remove(r *ring.Ring) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.added, func(f *feed) bool { return f.ring == r }); i >= 0 {
		err = s.added[i].reader.HandOver()
		s.added = slices.Delete(s.added, i, i+1)
		return true, err
	}
	if s.closed || !s.rings[r] {
		return true, nil
	}
	if !slices.Contains(s.leaving, r) {
		s.leaving = append(s.leaving, r)
		s.changed.Store(true)
	}
	return false, nil
}

// SetNow lends the time of a cycle, see numa.Clocked.
func (s *Sender) SetNow(now time.Time) { s.clock.lend(now) }

// Do sends at most one batch on each line and returns how many frames were carried for the first time. What the network
// refuses is counted and told to Events; what Do returns ends the sender: a socket that is no good, a key that is spent.
//
// Sending comes first, since a frame waits for it; to what receivers say, and to what is due, the sender turns while the frame is on
// its way.
func (s *Sender) Do() (frames int, err error) {
	if s.changed.Load() {
		s.adopt()
	}
	now := s.clock.read()
	if s.unsent {
		if err := s.flushAll(); err != nil || s.unsent && s.lends() {
			return 0, err
		}
		if err := s.attend(now, false); err != nil || s.unsent { // it may be full again at once, or stay so, and never find the time
			return 0, err
		}
	}
	before := s.Frames
	if err := s.fillAll(now); err != nil {
		return 0, err
	}
	if err := s.flushAll(); err != nil {
		return 0, err
	}
	frames = int(s.Frames - before)
	if !s.unsent || !s.lends() {
		err = s.attend(now, frames == 0)
	}
	s.publish()
	return frames, err
}

// lends reports whether what waits to be sent may lie in the rings, where what receivers say could release it. A medium has copied it.
func (s *Sender) lends() bool {
	for _, w := range s.wires {
		if w.medium == nil {
			return true
		}
	}
	return false
}

// attend turns to what receivers say, every so often or at once, and to what is due.
func (s *Sender) attend(now time.Duration, atOnce bool) error {
	if s.looks--; s.looks < 0 || atOnce {
		s.looks = backEvery
		if err := s.hear(now); err != nil {
			return err
		}
	}
	if now < s.tickAt {
		return nil
	}
	if err := s.tick(now); err != nil {
		return err
	}
	return s.flushAll()
}

// fillAll repairs, then carries on. Where a pace leaves less than a batch, whoever came last comes first the next time.
func (s *Sender) fillAll(now time.Duration) error {
	s.paced.refill(now)
	before := s.Bytes
	if s.news {
		if err := s.newsAll(now); err != nil {
			return err
		}
		s.news = s.Bytes == before
		return s.repairAll(now)
	}
	if err := s.repairAll(now); err != nil {
		return err
	}
	s.news = s.paced.rate != 0 && s.Bytes != before
	return s.newsAll(now)
}

// repairAll sends again what was asked for, feed by feed.
func (s *Sender) repairAll(now time.Duration) error {
	for _, f := range s.feeds {
		if len(f.wants) > 0 {
			if err := s.repair(f, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// newsAll carries on, feed by feed, each time with another one first.
func (s *Sender) newsAll(now time.Duration) error {
	if s.turn++; s.turn >= len(s.feeds) {
		s.turn = 0
	}
	for _, f := range s.feeds[s.turn:] {
		if err := s.fill(f, now); err != nil {
			return err
		}
	}
	for _, f := range s.feeds[:s.turn] {
		if err := s.fill(f, now); err != nil {
			return err
		}
	}
	return nil
}

// flushAll sends all lines' batches, and then lets go of what was carried.
func (s *Sender) flushAll() error {
	s.unsent = false
	for _, w := range s.wires {
		if w.datagrams == 0 {
			continue
		}
		done, err := s.flush(w)
		if err != nil {
			return err
		}
		if done {
			w.reset()
		}
		s.unsent = s.unsent || !done
	}
	if s.unsent || s.options.Reliability == Repaired {
		return nil
	}
	for _, f := range s.feeds {
		if err := f.carried(); err != nil {
			s.ended(f, err)
		}
	}
	return nil
}

// adopt takes over what Add left, and lets go of what Remove names.
func (s *Sender) adopt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Store(false)
	for _, f := range s.added {
		s.rings[f.ring] = true
	}
	s.feeds = append(s.feeds, s.added...)
	s.added = nil
	if s.unsent && len(s.leaving) > 0 && s.wires[0].medium == nil { // what waits may lie in their memory; a medium has copied it
		s.changed.Store(true)
		return
	}
	for _, r := range s.leaving {
		i := slices.IndexFunc(s.feeds, func(f *feed) bool { return f.ring == r })
		f := s.feeds[i]
		s.feeds = slices.Delete(s.feeds, i, i+1)
		delete(s.rings, r)
		if err := f.reader.HandOver(); err != nil {
			s.tell(Event{Kind: Trouble, Source: f.source, Err: onChannel(s.options.Channel, err)})
		}
	}
	s.leaving = nil
	s.stand()
}

// ended tells of a ring that cannot be read any more. The others go on.
func (s *Sender) ended(f *feed, err error) {
	if !f.ended {
		f.ended = true
		s.tell(Event{Kind: Trouble, Source: f.source, Err: onChannel(s.options.Channel, err)})
	}
}

// tick is what depends on time.
func (s *Sender) tick(now time.Duration) error {
	if stood := now - s.tickAt; stood > s.options.Liveness/4 { // while it was not run it heard nobody, which is nobody's silence
		for _, f := range s.feeds {
			f.forgive(stood, now)
		}
	}
	s.tickAt = now + tickEvery
	s.rate.measure(now, s.Bytes)
	s.hellos = 4
	s.turnSecret()
	turn := s.rotate.Swap(false)
	for _, f := range s.feeds {
		if err := f.reader.Err(); err != nil {
			s.ended(f, err)
			continue
		}
		f.heard(s, now)
		if turn {
			if err := f.turnKeys(); err != nil {
				return err
			}
		}
		// Sealed, it goes out beside frames, too: it is what a receiver without a session can answer, however small frames are.
		if now-f.carriedAt >= f.silence && now-f.beatAt >= f.silence || s.options.Secret != nil && now-f.beatAt >= s.options.Heartbeat {
			f.beatAt, f.silence = now, min(2*f.silence, s.options.Heartbeat)
			if err := s.beat(f, now); err != nil {
				return err
			}
		}
	}
	s.stand()
	return nil
}

// Rotate turns every session to its next key at the next tick. It may be called from any goroutine.
func (s *Sender) Rotate() { s.rotate.Store(true) }

// Stats is what the sender has done. It may be called from any goroutine.
func (s *Sender) Stats() Stats { return s.snapshot() }

// Local returns the own address of line i.
func (s *Sender) Local(i int) netip.AddrPort { return s.wires[i].local() }

// Features says what is in force on the first line's socket; nothing is where a medium is.
func (s *Sender) Features() sys.Features {
	if s.wires[0].medium != nil {
		return sys.Features{}
	}
	return s.wires[0].socket.Features()
}

// Drained reports whether everything that was committed was carried, and on a repaired channel confirmed. It belongs to
// the sender's goroutine.
func (s *Sender) Drained() bool {
	if s.unsent || s.changed.Load() {
		return false
	}
	for _, f := range s.feeds {
		if !f.ended && (len(f.run) > 0 || f.reader.Measure(1) > 0 || s.options.Reliability == Repaired && f.acked < f.reader.Seq()) {
			return false
		}
	}
	return true
}

// Close closes sockets and readers. A repaired sender's place in the rings stays for its successor.
func (s *Sender) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.publish()
	var faults []error
	for _, f := range append(s.feeds, s.added...) {
		faults = append(faults, f.reader.Close())
	}
	for _, w := range s.wires {
		faults = append(faults, w.close())
	}
	if s.inbound != nil {
		faults = append(faults, s.inbound.Close())
	}
	return errors.Join(faults...)
}

// tell hands an event on.
func (s *Sender) tell(e Event) {
	if s.options.Events != nil {
		e.Channel = s.options.Channel
		s.options.Events(e)
	}
}
