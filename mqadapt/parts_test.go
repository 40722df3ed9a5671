package mqadapt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// shippedLarge is what a ring is in a queue that holds so many messages of this size and one of 2000 bytes in envelopes of 1000 after them: 3 parts.
func shippedLarge(t *testing.T, messages uint64) [][]byte {
	t.Helper()
	source, err := ring.Create(ring.Options{Heap: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	publish(t, w, messages)
	if _, err := w.Claim(2000); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(2000); err != nil {
		t.Fatal(err)
	}
	p := &putter{}
	s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "c", Separate: true, Body: 1000})
	if err == nil {
		err = s.Add(source)
	}
	if err != nil {
		t.Fatal(err)
	}
	for !s.Idle() {
		if _, err := s.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(p.kept) != int(messages)+3 {
		t.Fatalf("%d envelopes", len(p.kept))
	}
	return p.kept
}

// taken runs a taker over a queue that lends ten deliveries at most.
func taken(t *testing.T, kept [][]byte, o mqadapt.TakerOptions) (mqadapt.TakerStats, *bounded) {
	t.Helper()
	q := &bounded{getter: getter{kept: kept}, most: 10, alone: map[uint64]bool{}}
	o.Channel = "c"
	k, err := mqadapt.NewTaker(q, o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 500 {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	return k.Stats(), q
}

// A publisher dies amid a record, and goes on behind more than a consumer lends: what others have sent passes it by.
func TestRecordThatIsNotWholeLeavesRoomForOthers(t *testing.T) {
	large, other := shippedLarge(t, 1), shipped(t, 100)
	s, q := taken(t, slices.Concat(large[:2], other, large[1:]), mqadapt.TakerOptions{})
	if s.Lost != 0 || s.Frames != 102 || q.acked != uint64(len(q.kept)) {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, len(q.kept))
	}
}

// Parts of records are lent no longer than until their record is whole, whatever another source waits for.
func TestPartsLeaveRoomOnceTheirRecordIsWhole(t *testing.T) {
	one := shipped(t, 3)
	all := slices.Concat(one[:1], one[2:])
	for range 10 {
		all = append(all, shippedLarge(t, 1)...)
	}
	s, q := taken(t, append(all, one[1]), mqadapt.TakerOptions{})
	if s.Lost != 0 || s.Frames != 3+20 || q.acked != uint64(len(q.kept)) {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, len(q.kept))
	}
}

// Who ships puts parts again and again while the envelope before them is rejected: they count once.
func TestPartsThatComeAgainBeforeTheirTurnCountOnce(t *testing.T) {
	large := shippedLarge(t, 2)
	s, q := taken(t, slices.Concat(large[:1], slices.Repeat(large[2:], 20), large[1:]), mqadapt.TakerOptions{Early: 5})
	if s.Lost != 0 || s.Frames != 3 || q.acked != uint64(len(q.kept)) {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, len(q.kept))
	}
}

// What is missing is given up, and nothing that is at hand: in whatever order that came.
func TestGivingUpLosesNothingThatIsAtHand(t *testing.T) {
	one := shipped(t, 6)
	for name, c := range map[string]struct {
		order []int
		lost  int // the delivery of that number is behind others that the queue dropped
	}{"too many wait": {order: []int{1, 5, 4, 3}}, "the queue dropped some": {order: []int{1, 4, 3, 6}, lost: 4}} {
		t.Run(name, func(t *testing.T) {
			var kept [][]byte
			for _, i := range c.order {
				kept = append(kept, one[i-1])
			}
			q := &dropping{getter: getter{kept: kept}, at: c.lost}
			k, err := mqadapt.NewTaker(q, mqadapt.TakerOptions{Channel: "c", Early: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			for range 10 {
				if _, err := k.Do(); err != nil {
					t.Fatal(err)
				}
			}
			if s := k.Stats(); s.Frames != 4 || s.Repeated != 0 || q.acked != 4 {
				t.Errorf("%+v, acknowledged %d", s, q.acked)
			}
		})
	}
}

// dropping is a getter that says of one delivery that there were others before it.
type dropping struct {
	getter
	at int
}

func (d *dropping) Get(batch []mqadapt.Delivery, wait time.Duration) (int, error) {
	n, err := d.getter.Get(batch[:1], wait)
	if n > 0 && batch[0].Position == uint64(d.at) {
		batch[0].Lost = 1
	}
	return n, err
}

// A subscriber reads nothing for longer than a taker waits for what is missing, and that is in the queue all the while: it is not lost.
func TestPatienceDoesNotEndWhileAMirrorIsFull(t *testing.T) {
	const patience = 50 * time.Millisecond
	one, other := shipped(t, 3), shipped(t, 1000)
	var mirrors []*ring.Reader
	q := &getter{kept: slices.Concat(one[:1], one[2:], other, one[1:2])}
	k, err := mqadapt.NewTaker(q, mqadapt.TakerOptions{Channel: "c", Patience: patience, Inbox: netio.InboxOptions{Capacity: 1 << 12, Opened: func(r *ring.Ring) {
		reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
		if err != nil {
			t.Error(err)
		}
		mirrors = append(mirrors, reader)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	do := func() {
		t.Helper()
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	for k.Stats().Full == 0 {
		do()
	}
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		do()
	}
	batch := make([]ring.Record, 64)
	for end := time.Now().Add(10 * time.Second); k.Stats().Frames < 1003 && k.Stats().Lost == 0; do() {
		if time.Now().After(end) {
			break
		}
		for _, m := range mirrors {
			if n := m.Peek(batch); n > 0 {
				if err := m.Release(n); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if s := k.Stats(); s.Lost != 0 || s.Frames != 1003 {
		t.Errorf("%+v", s)
	}
}
