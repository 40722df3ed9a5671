package demo

import (
	"errors"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/trades"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/tlv"
)

const (
	feedBatch = 64 // messages that leave in one Do, at most

	tradeRoom = (tlv.TradeMessageSize + ring.HeaderSize + 7) &^ 7 // in a ring
)

// errDone ends a loop whose worker has nothing left to do, ever.
var errDone = errors.New("demo: done")

// feed is the worker that publishes trades: message n of its ring is trade n − 1 + seed of the capture, which starts over
// at its end. It drops nothing: when the ring has no room it waits, counts the waiting, and the schedule goes on.
type feed struct {
	clock   clock
	book    *book
	late    account // its histogram: how long after its instant a message left
	pub     *transport.Publisher
	pace    Pace
	all     []trades.Trade
	trades  []tlv.Trade
	seed    uint64
	count   uint64 // messages to send; 0 is no end
	plan    schedule
	running bool // the schedule has begun
	room    room
	stuck   uint64 // since when there is no room; 0: there is
	header  tlv.Header
}

func newFeed(o FeedOptions, b *book, pub *transport.Publisher) (*feed, error) {
	all, err := trades.Load()
	if err != nil {
		return nil, err
	}
	f := &feed{clock: newClock(), book: b, late: b.account(0), pub: pub, room: newRoom(pub), pace: o.Pace, all: all, seed: o.Seed % uint64(len(all)), count: o.Count}
	for _, t := range all {
		side := tlv.Buy
		if t.Sell {
			side = tlv.Sell
		}
		f.trades = append(f.trades, tlv.Trade{AssetID: tlv.SymbolID(t.Product), Price: t.Price, Volume: t.Size,
			Timestamp: uint64(t.Time.UnixNano()), Venue: tlv.VenueCoinbase, AssetType: tlv.AssetCoin, Side: side})
	}
	f.header = tlv.Header{RelayDomain: tlv.From1.RelayDomain(tlv.MarketData), Source: tlv.SourceCoinbase}
	b.output(pub.Source(), pub.Seq(), pub.Epoch())
	return f, nil
}

// which is the trade that message seq carries.
func (f *feed) which(seq uint64) int { return int((seq - 1 + f.seed) % uint64(len(f.trades))) }

// Do publishes what is due.
func (f *feed) Do() (n int, err error) {
	now := f.clock.now()
	if !f.ready(now) {
		return 0, nil
	}
	for n < feedBatch {
		if f.count > 0 && f.plan.sent == f.count {
			err = errDone
			break
		}
		due := f.plan.due(now)
		if due > now {
			break
		}
		if err = f.send(due, now); err != nil {
			break
		}
		n++
	}
	if n > 0 {
		f.pub.Flush()
		f.book.output(f.pub.Source(), f.pub.Seq(), f.pub.Epoch())
	}
	return n, err
}

// ready makes sure of room for a batch, counts the waiting for it, and begins the schedule once there is a reader.
func (f *feed) ready(now uint64) bool {
	if !f.room.has(feedBatch*tradeRoom, now) {
		if f.running && f.stuck == 0 {
			f.stuck = now
			f.book.add(bookWaits, 1)
		}
		return false
	}
	if f.stuck > 0 {
		f.book.add(bookWaited, now-f.stuck)
		f.stuck = 0
	}
	if !f.running {
		f.plan = newSchedule(f.pace, f.all, f.which(f.pub.Seq()), now)
		f.running = true
	}
	return true
}

// send builds the next message in the ring's own bytes.
func (f *feed) send(due, now uint64) error {
	f.pub.Sample()
	b, err := f.pub.Claim(tlv.TradeMessageSize)
	if err != nil {
		return err
	}
	seq := f.pub.Seq()
	f.header.Sequence, f.header.Timestamp = seq, f.clock.unix(due)
	if _, err := tlv.PutTrade(b, &f.header, &f.trades[f.which(seq)]); err != nil {
		f.pub.Abort()
		return err
	}
	tlv.SetChecksum(b)
	f.pub.SetStamp(due)
	f.plan.sent++
	record(f.late.At(accountHist), now-due)
	return f.pub.Stage(len(b))
}

// String names the worker in errors.
func (f *feed) String() string { return "feed" }
