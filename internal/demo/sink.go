package demo

import (
	"errors"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/seal"
)

// sink is the worker at the end: it checks every signal, and accounts for the trades the signals answer.
type sink struct {
	clock    clock
	signals  account // by the numbers of the strategy's ring
	origins  account // by the numbers of the trades: the whole way from the feed
	sub      *transport.Subscriber
	each     func(seal.Frame)
	draining bool
	fault    error
}

func newSink(b *book, sub *transport.Subscriber) *sink {
	s := &sink{clock: newClock(), signals: b.account(0), origins: b.account(1), sub: sub}
	s.each = s.take
	s.signals.load()
	s.origins.load()
	return s
}

// Do takes a batch of signals.
func (s *sink) Do() (int, error) {
	n, err := s.sub.Poll(pollBatch, s.each)
	if err = errors.Join(err, s.fault); err == nil && n == 0 && s.draining {
		err = errDone
	}
	return n, err
}

func (s *sink) take(f seal.Frame) {
	l, err := s.signals.lane(f.Source, f.Seq)
	if err != nil || s.fault != nil {
		s.fault = errors.Join(s.fault, err)
		return
	}
	if !s.signals.see(l, f.Seq, f.Epoch) {
		return
	}
	now := s.clock.now()
	m, err := strict.Parse(f.Payload)
	var got signal
	if err != nil || !got.load(m) || m.Sequence() != f.Seq || got.number != f.Seq {
		s.signals.count(countCorrupt)
		s.signals.pass(l, f.Seq)
		return
	}
	s.origin(&got, now)
	s.signals.done(l, f.Seq, since(now, f.Stamp))
}

// origin accounts for the trade behind a signal. It comes before the signal is done: a kill between the two makes the
// signal come again, and then its trade counts once all the same.
func (s *sink) origin(got *signal, now uint64) {
	l, err := s.origins.lane(got.ring, got.trade)
	if err != nil {
		s.fault = err
		return
	}
	if s.origins.see(l, got.trade, 0) {
		s.origins.done(l, got.trade, since(now, got.stamp))
	}
}

// Sleepers wakes the sink when a signal comes.
func (s *sink) Sleepers() []numa.Sleeper { return s.sub.Sleepers() }

// String names the worker in errors.
func (s *sink) String() string { return "sink" }
