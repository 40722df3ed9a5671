package mqadapt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// Bounds and defaults of TakerOptions.
const (
	DefaultEarly    = 1024
	DefaultPatience = 10 * time.Minute

	getAtOnce = 64 // deliveries in one Get
)

// Why a Taker gives a delivery up: TakerOptions.Refused is told. Each has a counter in TakerStats.
var (
	// ErrMalformed: it is no envelope, or one whose parts contradict each other.
	ErrMalformed = errors.New("mqadapt: no envelope")
	// ErrForeign: an envelope of another channel, or of a kind that no queue carries.
	ErrForeign = errors.New("mqadapt: an envelope that does not belong into this queue")
	// ErrUndecodable: an envelope that is sealed or packed, which nothing here can undo, or that ought to be sealed and is not.
	ErrUndecodable = errors.New("mqadapt: undecodable")
	// ErrOldEpoch: new numbers of an epoch that has a successor: two publishers write one ring's numbers.
	ErrOldEpoch = errors.New("mqadapt: of an epoch that is over")
	// ErrTooLarge: a frame larger than the mirror takes.
	ErrTooLarge = errors.New("mqadapt: frame larger than the mirror takes")
)

// TakerOptions say where a queue's envelopes go.
type TakerOptions struct {
	// Channel is the channel's name. Envelopes of other channels are refused.
	Channel string

	// Inbox is where the mirrors are; transport.Node.Inbox has it. With a Dir they outlive a kill, and each frame is delivered once whoever
	// dies; in anonymous mirrors what was acknowledged and not read yet dies with the process.
	Inbox netio.InboxOptions

	// Early is how many deliveries of a source wait at most for one that should have come before them: a queue may accept an envelope while
	// it rejects the one before, which then is sent again. 0 means DefaultEarly; less than the Window of who ships may lose what is still to
	// come. Patience is how long they wait; 0 means DefaultPatience, longer than a broker that takes nothing should need to be well again.
	// Past either, or when the queue says that it dropped something, the missing frames are lost, and counted.
	Early    int
	Patience time.Duration

	// Codec expands compressed envelopes; nil: they are refused. It belongs to this taker alone.
	Codec seal.Codec

	// Secret opens sealed envelopes (seal.Store), and then what is not sealed is refused; nil: what is sealed is.
	Secret *seal.Secret

	// Traced, if set, is told of traced frames that are taken. It runs on the taker's goroutine and must not block.
	Traced netio.Traced

	// Refused, if set, is told of each delivery before it is given up, and why: DeadLetters.Add keeps it. An error ends the taker, and the
	// delivery stays in the queue. It runs on the taker's goroutine.
	Refused func(Delivery, error) error

	received *timing // how old messages are when they are in mirrors; nil: nobody wants to know
}

func (o TakerOptions) checked() (TakerOptions, error) {
	if o.Early == 0 {
		o.Early = DefaultEarly
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	var faults []error
	if o.Channel == "" {
		faults = append(faults, fmt.Errorf("mqadapt: %w: a taker without a channel", ErrOptions))
	}
	if o.Early < 1 || o.Patience < 0 {
		faults = append(faults, fmt.Errorf("mqadapt: %w: %d early deliveries, patience %s", ErrOptions, o.Early, o.Patience))
	}
	return o, errors.Join(faults...)
}

// Taker carries what a queue holds into mirrors. It is a worker: Do carries at most a batch and waits for nothing but what its Consumer's Get
// takes. It belongs to one goroutine, but for Stats. The zero Taker is not valid: use NewTaker.
//
// A delivery is acknowledged once its frames are in their mirror, so each comes again until they are; and what comes again is dropped by its
// number. A mirror that is full of what a subscriber has not read stops the taker, and what follows stays in the queue.
type Taker struct {
	options  TakerOptions
	channel  uint32
	consumer Consumer
	one      Selective // the consumer, if it is one
	inbox    *netio.Inbox
	streams  map[uint64]*stream
	undress  undress

	batch []Delivery
	at, n int     // of the batch: what is done, what there is
	met   meeting // take's, of the delivery at hand
	early []waiting
	ones  []uint64 // positions that are done with since the last acknowledgement
	done  uint64   // position up to which nothing waits, but for early ones and parts
	acked uint64
	ended error

	counts struct {
		envelopes, frames, repeated, malformed, foreign, undecodable, oldEpoch, tooLarge, lost, full atomic.Uint64
	}
}

// NewTaker makes a taker that gets from c, which it owns from then on.
func NewTaker(c Consumer, o TakerOptions) (*Taker, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	u, err := newUndress(&o)
	if err != nil {
		return nil, err
	}
	inbox, err := netio.NewInbox(o.Inbox)
	if err != nil {
		return nil, err
	}
	one, _ := c.(Selective)
	return &Taker{options: o, channel: seal.ChannelID(o.Channel), consumer: c, one: one, inbox: inbox, streams: map[uint64]*stream{}, undress: u,
		batch: make([]Delivery, getAtOnce)}, nil
}

// Do takes at most a batch and returns how many deliveries it is done with. An error is final, and Do answers it from then on: the consumer
// ended, or a mirror cannot be written.
func (t *Taker) Do() (n int, err error) {
	if t.ended != nil {
		return 0, t.ended
	}
	err = sys.Guard(func() error {
		n, err = t.do()
		return err
	})
	if err != nil {
		t.ended = fmt.Errorf("mqadapt: taker of channel %q: %w", t.options.Channel, err)
		return n, t.ended
	}
	return n, nil
}

func (t *Taker) do() (n int, err error) {
	defer t.leave()
	t.options.received.look()
	full, err := t.retake()
	if err != nil {
		return 0, err
	}
	if t.at == t.n && !full {
		t.at = 0
		if t.n, err = t.consumer.Get(t.batch, 0); err != nil {
			t.n = 0
			return 0, err
		}
		t.options.received.look()
	}
	for ; t.at < t.n && !full; t.at++ {
		d := t.batch[t.at]
		if d.Lost > 0 {
			if full, err = t.dropped(); err != nil {
				return n, err
			}
			if full {
				break
			}
		}
		what, err := t.take(d)
		if err != nil {
			return n, err
		}
		if what == blocked {
			full = true
			break
		}
		if what == ahead && !t.again() {
			if t.met.stream.early++; t.met.stream.early == 1 {
				t.met.stream.since = time.Now()
			}
			t.early = append(t.early, waiting{d, t.met})
		} else if what != kept {
			t.over(d.Position)
		}
		t.done = d.Position
		n++
	}
	switch {
	case full:
		t.hold()
	case len(t.early) > 0:
		if err := t.overdue(); err != nil {
			return n, err
		}
	}
	return n, t.acknowledge()
}

// hold has the patience of all begin anew: what is missing may be in the queue, behind what a mirror has no room for.
func (t *Taker) hold() {
	now := time.Now()
	for _, s := range t.streams {
		s.since = now
	}
}

// dropped gives up all that is missing: the queue has dropped something, of whom nobody knows. It reports whether a mirror is full.
func (t *Taker) dropped() (full bool, err error) {
	for len(t.early) > 0 && !full && err == nil {
		for _, s := range t.streams {
			full = full || !t.skip(s)
		}
		if !full {
			full, err = t.retake()
		}
	}
	for _, s := range t.streams {
		s.lax = true
	}
	return full, err
}

// overdue gives up what is missing of a source when too much waits for it, or for too long.
func (t *Taker) overdue() error {
	if _, err := t.retake(); err != nil {
		return err
	}
	for _, s := range t.streams {
		if s.early > t.options.Early || s.early > 0 && time.Since(s.since) > t.options.Patience {
			t.skip(s)
		}
	}
	_, err := t.retake()
	return err
}

// skip gives up what is missing before the first number that waits. It reports false where the mirror is another way's now.
func (t *Taker) skip(s *stream) bool {
	first := uint64(0)
	for i := range t.early {
		if w := &t.early[i]; w.stream == s && (first == 0 || w.first < first) {
			first = w.first
		}
	}
	if first == 0 {
		return true
	}
	if !t.enter(s) {
		return false
	}
	t.pass(s, first)
	return true
}

// waiting is a delivery that came before its turn.
type waiting struct {
	Delivery
	meeting
}

// meeting is what a delivery is.
type meeting struct {
	stream      *stream
	epoch       uint32
	kind        seal.Kind
	first, last uint64 // its numbers
	offset      int    // of a part in its record
}

// again reports whether the delivery at hand waits already: who ships goes back to what was not accepted, and puts what follows again. Parts
// are put again in order, so that those of before are not needed.
func (t *Taker) again() bool {
	m := &t.met
	same := func(w waiting) bool { return w.stream == m.stream && w.epoch == m.epoch && w.kind == m.kind }
	if m.kind == seal.Fragment {
		t.early = slices.DeleteFunc(t.early, func(w waiting) bool {
			old := same(w) && w.first == m.first && w.offset >= m.offset
			if old {
				m.stream.early--
				t.over(w.Position)
			}
			return old
		})
		return false
	}
	if !slices.ContainsFunc(t.early, func(w waiting) bool { return same(w) && w.first <= m.first && w.last >= m.last }) {
		return false
	}
	if m.kind == seal.Data {
		t.counts.repeated.Add(m.last - m.first + 1)
	}
	return true
}

// over notes that a delivery is done with, so that it does not count against what the consumer lends while others hold Ack up.
func (t *Taker) over(positions ...uint64) {
	if t.one != nil {
		t.ones = append(t.ones, positions...)
	}
}

// retake tries the early ones again, until none of them is due. It reports whether a mirror is full.
func (t *Taker) retake() (full bool, err error) {
	for again := len(t.early) > 0; again; {
		again, full = false, false
		for i := 0; i < len(t.early); i++ {
			w := t.early[i]
			if t.enter(w.stream) && w.first > w.stream.next {
				continue
			}
			what, err := t.take(w.Delivery)
			if err != nil {
				return full, err
			}
			if what == blocked {
				full = true
				continue
			}
			w.stream.early, w.stream.since = w.stream.early-1, time.Now()
			t.early = slices.Delete(t.early, i, i+1)
			if what == taken {
				t.over(w.Position)
			}
			again = true
			i--
		}
	}
	return full, nil
}

// acknowledge says up to where everything is in the mirrors.
func (t *Taker) acknowledge() error {
	upTo := t.done
	if len(t.early) > 0 {
		upTo = min(upTo, t.early[0].Position-1)
	}
	for _, s := range t.streams {
		s.flush()
		if s.partAt != 0 {
			upTo = min(upTo, s.partAt-1)
		}
	}
	for _, position := range t.ones {
		if position > upTo {
			if err := t.one.AckOne(position); err != nil {
				return err
			}
		}
	}
	t.ones = t.ones[:0]
	if upTo <= t.acked {
		return nil
	}
	t.acked = upTo
	return t.consumer.Ack(upTo)
}

// refuse gives a delivery up.
func (t *Taker) refuse(d Delivery, counter *atomic.Uint64, why error) error {
	counter.Add(1)
	if t.options.Refused == nil {
		return nil
	}
	return t.options.Refused(d, why)
}

// Run calls Do until ctx ends or it answers an error. It looks for work at least every millisecond.
func (t *Taker) Run(ctx context.Context) error { return repeat(ctx, t.Do) }

// TakerStats is what a taker has done.
type TakerStats struct {
	Envelopes   uint64 // looked at
	Frames      uint64 // in mirrors
	Repeated    uint64 // frames that were there already
	Lost        uint64 // frames that never came
	Malformed   uint64 // deliveries that are no envelope
	Foreign     uint64 // of another channel, or of a kind that no queue carries
	Undecodable uint64 // sealed or packed otherwise than agreed
	OldEpoch    uint64 // of an epoch that is over
	TooLarge    uint64 // frames larger than the mirror takes
	Full        uint64 // times that a mirror was full
}

// Stats may be called from any goroutine.
func (t *Taker) Stats() TakerStats {
	c := &t.counts
	return TakerStats{c.envelopes.Load(), c.frames.Load(), c.repeated.Load(), c.lost.Load(), c.malformed.Load(), c.foreign.Load(),
		c.undecodable.Load(), c.oldEpoch.Load(), c.tooLarge.Load(), c.full.Load()}
}

// Close closes the consumer and the mirrors. What was not acknowledged comes again.
func (t *Taker) Close() error {
	if errors.Is(t.ended, ErrClosed) {
		return nil
	}
	t.ended = fmt.Errorf("mqadapt: taker of channel %q: %w", t.options.Channel, ErrClosed)
	return errors.Join(unlessClosed(t.consumer.Close()), t.inbox.Close())
}
