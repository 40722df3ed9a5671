package demo

import (
	"context"
	"errors"
	"testing"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

// theatre is a directory with the three workers, in one process and without loops.
type theatre struct {
	*testing.T
	dir string
}

// open opens a stage that is closed with the test, or by the returned function: what a kill leaves is what close leaves,
// since nothing is stored on the way out.
func (h theatre) open(name string, channels map[string]transport.Channel) (*stage, func()) {
	h.Helper()
	s, err := openStage(context.Background(), Options{Dir: h.dir, Name: name}, channels)
	if err != nil {
		h.Fatal(err)
	}
	closed := false
	end := func() {
		if closed {
			return
		}
		closed = true
		if err := s.close(); err != nil {
			h.Error(err)
		}
	}
	h.Cleanup(end)
	return s, end
}

func (h theatre) feed(o FeedOptions) (*feed, func()) {
	h.Helper()
	s, end := h.open(FeedName, map[string]transport.Channel{TradesChannel: {Capacity: 1 << 20}})
	pub, err := s.node.Publisher(TradesChannel)
	if err != nil {
		h.Fatal(err)
	}
	f, err := newFeed(o, s.book, pub)
	if err != nil {
		h.Fatal(err)
	}
	return f, end
}

func (h theatre) strategy() (*strategy, func()) {
	h.Helper()
	s, end := h.open(StrategyName, map[string]transport.Channel{
		TradesChannel: {Durable: StrategyName, From: ring.Oldest}, SignalsChannel: {Capacity: 1 << 20}})
	sub, err := s.node.Subscriber(TradesChannel)
	if err != nil {
		h.Fatal(err)
	}
	pub, err := s.node.Publisher(SignalsChannel)
	if err != nil {
		h.Fatal(err)
	}
	w := newStrategy(s.book, sub, pub)
	if err := s.recover(h.Context(), w); err != nil {
		h.Fatal(err)
	}
	return w, end
}

func (h theatre) sink() (*sink, func()) {
	h.Helper()
	s, end := h.open(SinkName, map[string]transport.Channel{SignalsChannel: {Durable: SinkName, From: ring.Oldest}})
	sub, err := s.node.Subscriber(SignalsChannel)
	if err != nil {
		h.Fatal(err)
	}
	return newSink(s.book, sub), end
}

// all opens the three, and leaves the feed begun.
func (h theatre) all(o FeedOptions) (*feed, *strategy, *sink) {
	h.Helper()
	f, _ := h.feed(o)
	s, _ := h.strategy()
	k, _ := h.sink()
	return f, s, k
}

// until calls a worker's Do until it did n in all; nothing is waited for, so a Do of nothing is a fault.
func (h theatre) until(w numa.Worker, n int) {
	h.Helper()
	for done := 0; done < n; {
		k, err := w.Do()
		if err != nil || k == 0 {
			h.Fatalf("after %d of %d: %d, %v", done, n, k, err)
		}
		done += k
	}
}

// now lets the workers look for their readers at once.
func now(f *feed, s *strategy) { f.room.looked, s.room.looked = 0, 0 }

func counts(b *book, account int) Counts {
	p := b.read()
	return p.accounts[account].since(&tally{})
}

func TestEveryTradeIsAnsweredAndAccountedFor(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, s, k := h.all(FeedOptions{Seed: 299})
	now(f, s)
	h.until(f, 640)
	h.until(s, 640)
	h.until(k, 640)
	want := Counts{Sent: 640, Delivered: 640}
	if got := counts(s.book, 0); got != want {
		t.Errorf("trades %+v", got)
	}
	signals, origins := reading(&k.signals), reading(&k.origins)
	if signals.since(&tally{}) != want || origins.since(&tally{}) != want {
		t.Errorf("signals %+v, origins %+v", signals.since(&tally{}), origins.since(&tally{}))
	}
}

func TestHotLoopsAllocateNothing(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, s, k := h.all(FeedOptions{})
	now(f, s)
	cycle := func() {
		for _, w := range []numa.Worker{f, s, k, s, k} {
			if _, err := w.Do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cycle() // the first message of a ring opens its row
	// Whatever else the process does now and then (looking for new rings, looking at the readers) is not the loops': the
	// quietest of some batches counts.
	least := testing.AllocsPerRun(5, cycle)
	for range 40 {
		least = min(least, testing.AllocsPerRun(5, cycle))
	}
	if least != 0 {
		t.Errorf("%g allocations per round of %d messages", least, feedBatch)
	}
}

func TestFeedWaitsForRoomAndDropsNothing(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, s, k := h.all(FeedOptions{})
	now(f, s)
	sent := 0
	for {
		n, err := f.Do()
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; n < feedBatch {
			break
		}
	}
	if again, err := f.Do(); again != 0 || err != nil {
		t.Fatalf("%d, %v", again, err)
	}
	if waits := f.book.Load64(bookWaits); waits != 1 {
		t.Errorf("%d waits", waits)
	}
	for f.stuck > 0 {
		for _, w := range []numa.Worker{s, k} {
			if _, err := w.Do(); err != nil {
				t.Fatal(err)
			}
		}
		now(f, s)
		if _, err := f.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if f.book.Load64(bookWaited) == 0 {
		t.Error("waited no time")
	}
	if got := f.pub.Seq() - 1; got < uint64(sent+1) {
		t.Errorf("sent %d, and then %d in all", sent, got)
	}
}

func TestStrategyLeavesTradesUntouchedWhileItsRingIsFull(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, s, k := h.all(FeedOptions{})
	now(f, s)
	for s.pub.Seq() < 100_000 { // far more than the ring holds
		if _, err := f.Do(); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Do(); err != nil {
			t.Fatal(err)
		} else if n == 0 && s.blocked {
			break
		}
	}
	if len(s.Sleepers()) != 1 || s.Sleepers()[0] == s.sub.Sleepers()[0] {
		t.Error("a full strategy would be woken by trades it cannot take")
	}
	answered := int(s.pub.Seq() - 1)
	h.until(k, answered)
	now(f, s)
	if n, err := s.Do(); n == 0 || err != nil {
		t.Errorf("%d, %v after the sink made room", n, err)
	}
	if got := counts(s.book, 0); got.Gaps+got.Corrupt+got.Repeated > 0 {
		t.Errorf("%+v", got)
	}
}

func TestStrategyWithoutSinkLeavesTheTradesForItsNextLife(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, _ := h.feed(FeedOptions{})
	s, end := h.strategy()
	now(f, s)
	h.until(f, 64)
	s.draining = true
	if n, err := s.Do(); n != 0 || !errors.Is(err, errDone) {
		t.Fatalf("%d, %v", n, err)
	}
	end()
	s, _ = h.strategy()
	k, _ := h.sink()
	s.room.looked = 0
	h.until(s, 64)
	h.until(k, 64)
}

// A kill is played at each point of a strategy's batch: before, between and after its three steps.
func TestStrategyAnswersOnceWhereverItIsKilled(t *testing.T) {
	var errKill = errors.New("killed")
	for _, c := range []struct {
		name     string
		forget   bool // the last signal is out, and the book does not know
		repeated uint64
	}{
		{"between book and release", false, 100},
		{"between signal and book", true, 100},
	} {
		h := theatre{t, t.TempDir()}
		f, _ := h.feed(FeedOptions{})
		s, kill := h.strategy()
		k, _ := h.sink()
		now(f, s)
		h.until(f, 512)
		if !s.room.has(pollBatch*signalRoom, s.clock.now()) {
			t.Fatal("no room")
		}
		taken := 0
		func() { // a hundred answered, none released
			defer func() {
				if p := recover(); p != errKill {
					panic(p)
				}
			}()
			_, _ = s.sub.Poll(256, func(fr seal.Frame) {
				if taken == 100 {
					panic(errKill)
				}
				s.take(fr)
				taken++
			})
		}()
		if c.forget {
			r := s.trades.row(0)
			r.Store64(rowNext, r.next()-1)
			s.book.output(s.pub.Source(), s.pub.Seq()-1, s.pub.Epoch())
		}
		kill()
		s, _ = h.strategy()
		s.room.looked = 0
		h.until(s, 512)
		h.until(k, 512)
		if got := counts(s.book, 0); got != (Counts{Sent: 512, Delivered: 512, Repeated: c.repeated}) {
			t.Errorf("%s: strategy %+v", c.name, got)
		}
		signals, origins := reading(&k.signals), reading(&k.origins)
		want := Counts{Sent: 512, Delivered: 512}
		if signals.since(&tally{}) != want || origins.since(&tally{}) != want {
			t.Errorf("%s: signals %+v, origins %+v", c.name, signals.since(&tally{}), origins.since(&tally{}))
		}
		if out := s.book.read().output; out.next != 513 || out.first != 1 {
			t.Errorf("%s: output %+v", c.name, out)
		}
	}
}

func TestFeedGoesOnWithTheNextTrade(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, kill := h.feed(FeedOptions{Seed: 5})
	s, _ := h.strategy()
	f.room.looked = 0
	h.until(f, 300)
	kill()
	f, _ = h.feed(FeedOptions{Seed: 5})
	f.room.looked = 0
	h.until(f, 10)
	seq := uint64(0)
	_, err := s.sub.Poll(1<<20, func(fr seal.Frame) {
		seq++
		m, err := strict.Parse(fr.Payload)
		found, _ := m.Find(tlv.TypeTrade)
		trade, ok := found.Trade()
		if err != nil || !ok || m.Sequence() != seq || trade != f.trades[(seq-1+5)%300] {
			t.Fatalf("message %d: %v %v, number %d, %+v", seq, err, ok, m.Sequence(), trade)
		}
	})
	if err != nil || seq < 256 {
		t.Errorf("%d messages, %v", seq, err)
	}
}

func TestChangedMessagesAreCountedAndNotBelieved(t *testing.T) {
	h := theatre{t, t.TempDir()}
	f, s, k := h.all(FeedOptions{})
	now(f, s)
	spoil := func(pub *transport.Publisher, good []byte) {
		bad := append([]byte(nil), good...)
		bad[len(bad)-9] ^= 1
		for _, b := range [][]byte{bad, []byte("nothing like it"), good} { // the last one has the number of another
			if err := pub.Send(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	var trade [tlv.TradeMessageSize]byte
	if _, err := tlv.PutTrade(trade[:], &tlv.Header{RelayDomain: 1, Source: tlv.SourceCoinbase, Sequence: 99}, &f.trades[0]); err != nil {
		t.Fatal(err)
	}
	tlv.SetChecksum(trade[:])
	spoil(f.pub, trade[:])
	h.until(s, 3)
	if got := counts(s.book, 0); got != (Counts{Sent: 3, Delivered: 3, Corrupt: 3}) {
		t.Errorf("%+v", got)
	}
	var said [signalSize]byte
	if err := (&signal{number: 99, ring: 1, trade: 1}).put(said[:], 0); err != nil {
		t.Fatal(err)
	}
	spoil(s.pub, said[:])
	h.until(k, 3)
	if got := reading(&k.signals); got.corrupt != 3 || len(k.origins.lanes) != 0 {
		t.Errorf("%+v, %d origins", got, len(k.origins.lanes))
	}
}

func TestSignalComesBackAsItWasPut(t *testing.T) {
	want := signal{statistics: statistics{mean: 1, deviation: 2, vwap: -3, momentum: -4, fill: 50}, number: 5, ring: 6, trade: 7, asset: 8, stamp: 9}
	b := make([]byte, signalSize)
	if err := want.put(b, 77); err != nil {
		t.Fatal(err)
	}
	m, err := strict.Parse(b)
	var got signal
	if err != nil || !got.load(m) || got != want {
		t.Fatalf("%v: %+v", err, got)
	}
	if h := m.Header(); m.Domain() != tlv.Signal || m.Source() != tlv.SourceTrendFollower || h.Timestamp != 77 || h.Sequence != 5 {
		t.Errorf("%+v", h)
	}
	if err := want.put(b[:signalSize-1], 0); !errors.Is(err, tlv.ErrSpace) {
		t.Error(err)
	}
}
