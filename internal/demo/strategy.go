package demo

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

// pollBatch is how many frames a Do takes, and so how many come again at most after a kill.
const pollBatch = 256

// strict asks for a checksum in every domain: the demo's messages all carry one.
var strict = tlv.Parser{Checksums: tlv.Policies{MarketData: tlv.PolicyStrict}}

// strategy is the worker that answers every trade with a signal.
//
// For each trade it commits the signal first, then stores the trade's number in its book, and releases the trade last.
// Whatever instruction a kill hits, its successor finds out from the last signal in its ring and from the book how far
// it came, answers what was not answered and counts what was as repeated.
type strategy struct {
	clock    clock
	book     *book
	trades   account
	sub      *transport.Subscriber
	pub      *transport.Publisher
	each     func(seal.Frame) // s.take, made once
	windows  windows
	room     room
	stuck    uint64 // since when it waits for room; 0: it does not
	blocked  bool   // it waits for room, or for the first reader
	draining bool
	fault    error // of the frames of this batch
	full     [1]numa.Sleeper
}

func newStrategy(b *book, sub *transport.Subscriber, pub *transport.Publisher) *strategy {
	s := &strategy{clock: newClock(), book: b, trades: b.account(0), sub: sub, pub: pub, room: newRoom(pub)}
	s.each = s.take
	s.full[0] = &nap{}
	s.trades.load()
	b.output(pub.Source(), pub.Seq(), pub.Epoch())
	return s
}

// recover reads the last signal of a former life and takes the trade it answers, and all before it, as done.
func (s *strategy) recover(own *transport.Subscriber) error {
	last, seen := signal{}, s.pub.Seq() == 1
	for !seen {
		n, err := own.Poll(pollBatch, func(f seal.Frame) {
			if f.Source != s.pub.Source() {
				return
			}
			if m, err := strict.Parse(f.Payload); err == nil {
				last.load(m)
			}
			seen = f.Seq+1 == s.pub.Seq()
		})
		if err != nil {
			return err
		}
		if n == 0 {
			break // the last signals are overwritten: the book alone tells
		}
	}
	if last.ring == 0 {
		return nil
	}
	return s.trades.settle(last.ring, last.trade)
}

// Do answers a batch of trades, if there is room for all its answers: a batch that was polled must be answered whole.
func (s *strategy) Do() (int, error) {
	now := s.clock.now()
	if !s.room.has(pollBatch*signalRoom, now) {
		if !s.blocked && s.room.until > 0 {
			s.book.add(bookWaits, 1)
			s.stuck = now
		}
		s.blocked = true
		if s.draining && s.room.alone {
			return 0, errDone // nobody ever listened: the trades stay for the next life
		}
		return 0, nil
	}
	if s.blocked = false; s.stuck > 0 {
		s.book.add(bookWaited, now-s.stuck)
		s.stuck = 0
	}
	n, err := s.sub.Poll(pollBatch, s.each)
	if err = errors.Join(err, s.fault); err == nil && n == 0 && s.draining {
		err = errDone
	}
	return n, err
}

// drain makes Do end with errDone once all trades are answered. It looks anew whether somebody listens.
func (s *strategy) drain() { s.draining, s.room.looked = true, 0 }

// take answers one trade.
func (s *strategy) take(f seal.Frame) {
	l, err := s.trades.lane(f.Source, f.Seq)
	if err != nil || s.fault != nil {
		s.fault = errors.Join(s.fault, err)
		return
	}
	if !s.trades.see(l, f.Seq, f.Epoch) {
		return
	}
	now := s.clock.now()
	m, err := strict.Parse(f.Payload)
	var t tlv.Trade
	found, _ := m.Find(tlv.TypeTrade)
	if err != nil || !t.Load(found) || m.Sequence() != f.Seq {
		s.trades.count(countCorrupt)
		s.trades.pass(l, f.Seq)
		return
	}
	answer := signal{ring: f.Source, trade: f.Seq, asset: t.AssetID, stamp: f.Stamp, number: s.pub.Seq()}
	answer.statistics = s.windows.of(t.AssetID).add(t.Price, t.Volume)
	if trace, ok := s.sub.Trace(f); ok { // the answer is part of it
		s.pub.Trace(trace)
	}
	if err := s.publish(&answer, now); err != nil {
		s.fault = fmt.Errorf("demo: signal %d: %w", answer.number, err)
		return
	}
	s.trades.done(l, f.Seq, since(now, f.Stamp))
}

func (s *strategy) publish(answer *signal, now uint64) error {
	b, err := s.pub.Claim(signalSize)
	if err != nil {
		return err
	}
	if err := answer.put(b, s.clock.unix(now)); err != nil {
		s.pub.Abort()
		return err
	}
	s.pub.SetStamp(now)
	if err := s.pub.Commit(len(b)); err != nil {
		return err
	}
	s.book.output(s.pub.Source(), s.pub.Seq(), s.pub.Epoch())
	return nil
}

// since is the time from one reading to a later one; clocks of two processes may disagree by a hair.
func since(now, then uint64) uint64 { return max(now, then) - then }

// Sleepers wakes the strategy when a trade comes; when there is no room for signals it looks again after a nap.
func (s *strategy) Sleepers() []numa.Sleeper {
	if s.blocked {
		return s.full[:]
	}
	return s.sub.Sleepers()
}

// String names the worker in errors.
func (s *strategy) String() string { return "strategy" }

// nap is a sleeper that nobody wakes.
type nap struct{ word uint32 }

// Arm returns a word that never changes.
func (n *nap) Arm() (word *uint32, value uint32, ok bool) { return &n.word, 0, true }
