package rabbitmq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
)

const (
	askAgain   = 100 * time.Millisecond // between two tries of a member that waits to be the active one
	offsetWord = 16                     // bytes of a word in a group's place: the position, and who wrote it
	offsetArg  = "x-stream-offset"
)

// follower is one member of a group that reads a stream. The broker keeps no offsets for AMQP 0-9-1, so the group's lies in a queue of one
// word, its place, and whoever consumes that queue, exclusively, is the group's active member; the others ask again and again. Positions are
// offsets + 1.
//
// The active member first puts a word of its own behind what the place holds. Once that comes back it has seen the newest position. From then
// on it puts each new one there and lets the one before go only then, so that there is always one.
type follower struct {
	q     *Queue
	group string
	*session
	in      chan lent // from work to Get
	acked   atomic.Uint64
	fresh   chan struct{} // acked was moved
	ones    chan uint64   // acknowledged by themselves
	stop    chan struct{}
	stopped chan struct{}
	over    atomic.Bool

	place *amqp.Channel // work's from here on
	words <-chan amqp.Delivery
	word  uint64 // the tag of the newest word that came back: it stays in the place
	tags  []lent // not acknowledged to the broker
	told  uint64 // the position that was put into the place last
	next  uint64 // the offset that is due
	fault error  // why work ended; read after in is closed
	lost  bool   // Get's: the end was counted
}

// lent is a delivery of a stream.
type lent struct {
	tag, position, lost uint64
	body                []byte
}

func newFollower(q *Queue, group string) (*follower, error) {
	o := &q.options
	s, err := o.dial("consumer of " + group)
	if err != nil {
		return nil, err
	}
	defer s.hurry(o)()
	if err = o.same(s, o.queueOf(group)); err == nil {
		err = o.same(s, o.placeOf(group))
	}
	if err != nil {
		s.close(closeWait)
		return nil, err
	}
	f := &follower{q: q, group: group, session: s, in: make(chan lent, o.Prefetch), fresh: make(chan struct{}, 1), ones: make(chan uint64, o.Prefetch),
		stop:    make(chan struct{}),
		stopped: make(chan struct{})}
	go f.work()
	return f, nil
}

// work becomes the active member and then carries deliveries one way and positions the other.
func (f *follower) work() {
	defer close(f.stopped)
	defer close(f.in)
	if active, err := f.activate(); err != nil || !active {
		f.fault = err
		return
	}
	from, err := f.recall()
	if err != nil {
		f.fault = f.q.options.explain("offset of group "+f.group, err)
		return
	}
	f.acked.Store(from)
	f.told, f.next = from, from
	deliveries, err := f.subscribe(from)
	if err != nil {
		f.fault = f.q.options.explain("stream "+f.q.options.Name, err)
		return
	}
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return
			}
			f.carry(&d)
		case w, ok := <-f.words:
			if !ok {
				return
			}
			_ = f.place.Ack(f.word, true) // it, and what was before it, has a successor; a fault is the connection's end
			f.word = w.DeliveryTag
		case one := <-f.ones:
			f.alone(one)
		case <-f.fresh:
			f.tell()
		case <-f.stop:
			f.tell()
			return
		case <-f.ended:
			return
		}
	}
}

// activate waits until no other member consumes the group's place. false: it was closed meanwhile.
func (f *follower) activate() (active bool, err error) {
	for {
		if f.place, err = f.conn.Channel(); err == nil {
			f.words, err = f.place.Consume(f.q.options.place(f.group), "", false, true, false, false, nil)
		}
		if err == nil {
			return true, nil
		}
		var e *amqp.Error
		if !errors.As(err, &e) || e.Code != amqp.AccessRefused && e.Code != amqp.ResourceLocked {
			return false, f.q.options.explain("offset of group "+f.group, err)
		}
		select {
		case <-time.After(askAgain):
		case <-f.stop:
			return false, nil
		case <-f.ended:
			return false, nil
		}
	}
}

// recall finds the group's position.
func (f *follower) recall() (position uint64, err error) {
	mine := uint64(time.Now().UnixNano())
	if err := f.remember(0, mine); err != nil {
		return 0, err
	}
	timeout := time.After(f.q.options.Patience)
	for {
		select {
		case w, ok := <-f.words:
			if !ok {
				return 0, amqp.ErrClosed
			}
			if len(w.Body) != offsetWord {
				return 0, fmt.Errorf("%w: a word of %d bytes", mqadapt.ErrCorrupt, len(w.Body))
			}
			position, f.word = max(position, binary.LittleEndian.Uint64(w.Body)), w.DeliveryTag
			if binary.LittleEndian.Uint64(w.Body[8:]) != mine {
				continue // it stays until the next is there
			}
			return position, errors.Join(f.remember(position, 0))
		case <-timeout:
			return 0, fmt.Errorf("nothing comes back within %s", f.q.options.Patience)
		}
	}
}

// remember puts a position into the group's place.
func (f *follower) remember(position, mine uint64) error {
	var b [offsetWord]byte
	binary.LittleEndian.PutUint64(b[:], position)
	binary.LittleEndian.PutUint64(b[8:], mine)
	return f.place.Publish("", f.q.options.place(f.group), false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: b[:]})
}

// subscribe begins to read the stream.
func (f *follower) subscribe(from uint64) (<-chan amqp.Delivery, error) {
	if err := f.ch.Qos(f.q.options.Prefetch, 0, false); err != nil {
		return nil, err
	}
	args := amqp.Table{offsetArg: "first"}
	if from > 0 {
		args[offsetArg] = int64(from)
	}
	return f.ch.Consume(f.q.options.Name, "", false, false, false, false, args)
}

// carry hands a delivery to Get, once there is room: the broker lends whole chunks of a stream, more than Prefetch.
func (f *follower) carry(d *amqp.Delivery) {
	offset, _ := d.Headers[offsetArg].(int64)
	l := lent{tag: d.DeliveryTag, position: uint64(offset) + 1, body: d.Body}
	switch {
	case uint64(offset) < f.next: // a chunk begins before what was asked for
		_ = d.Ack(false)
		return
	case uint64(offset) > f.next: // retention was quicker
		l.lost = uint64(offset) - f.next
	}
	f.next = uint64(offset) + 1
	f.tags = append(f.tags, lent{tag: l.tag, position: l.position})
	for {
		select {
		case f.in <- l:
			return
		case one := <-f.ones:
			f.alone(one)
		case <-f.stop:
			return
		case <-f.ended:
			return
		}
	}
}

// alone tells the broker of one delivery.
func (f *follower) alone(position uint64) {
	if i := slices.IndexFunc(f.tags, func(l lent) bool { return l.position == position }); i >= 0 {
		_ = f.ch.Ack(f.tags[i].tag, false) // a fault is the connection's end, which Get tells
		f.tags = slices.Delete(f.tags, i, i+1)
	}
}

// tell gives the broker what is acknowledged: room for more deliveries, and the position for who comes after.
func (f *follower) tell() {
	now := f.acked.Load()
	n := 0
	for n < len(f.tags) && f.tags[n].position <= now {
		n++
	}
	if now <= f.told {
		return
	}
	f.told = now
	_ = f.remember(now, 0) // a fault is the connection's end, which Get tells
	if n > 0 {
		_ = f.ch.Ack(f.tags[n-1].tag, true)
		f.tags = slices.Delete(f.tags, 0, n)
	}
}

// Get lends entries of the stream.
func (f *follower) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	if f.over.Load() {
		return 0, f.q.overError()
	}
	var timer <-chan time.Time
	for n < len(batch) {
		var l lent
		ok := true
		select {
		case l, ok = <-f.in:
		default:
			if n > 0 || wait <= 0 {
				return n, nil
			}
			if timer == nil {
				t := time.NewTimer(wait)
				defer t.Stop()
				timer = t.C
			}
			select {
			case l, ok = <-f.in:
			case <-timer:
				return 0, nil
			}
		}
		if !ok {
			if n > 0 {
				return n, nil
			}
			return 0, f.endError()
		}
		batch[n] = mqadapt.Delivery{Envelope: l.body, Position: l.position, Lost: l.lost}
		n++
	}
	return n, nil
}

func (f *follower) endError() error {
	err := f.fault
	if f.over.Load() {
		return f.q.overError()
	}
	if err == nil {
		err = f.session.endError(f.q)
	}
	if !f.lost {
		f.lost = true
		f.q.learn(err)
	}
	return err
}

// Ack moves the position; the broker hears of it soon.
func (f *follower) Ack(position uint64) error {
	if f.over.Load() {
		return f.q.overError()
	}
	if position > f.acked.Load() {
		f.acked.Store(position)
		signal(f.fresh)
	}
	return nil
}

// AckOne gives the broker room for another. The group's place is as it was.
func (f *follower) AckOne(position uint64) error {
	if f.over.Load() {
		return f.q.overError()
	}
	select {
	case f.ones <- position:
	case <-f.stopped: // Get tells why
	}
	return nil
}

// Position returns the position that is acknowledged.
func (f *follower) Position() uint64 { return f.acked.Load() }

// Close puts the position into the group's place; the next member goes on from there.
func (f *follower) Close() error { return f.q.release(f) }

func (f *follower) shut() {
	f.over.Store(true)
	close(f.stop)
	select {
	case <-f.stopped:
	case <-time.After(closeWait):
	}
	f.close(closeWait)
	<-f.ended
	<-f.stopped
}
