package mqadapt_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/ring"
)

// shipped is what a ring of so many messages is in a queue, one envelope each.
func shipped(t *testing.T, messages uint64) [][]byte {
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
	p := &putter{}
	s, err := mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "c", Separate: true})
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
	return p.kept
}

// Of two sources each misses its second message. Too much waits for that of the first, which is lost; the other's comes in the end.
func TestBoundOfEarlyDeliveriesIsThatOfOneSource(t *testing.T) {
	one, other := shipped(t, 5), shipped(t, 4)
	q := &getter{kept: slices.Concat(one[:1], other[:1], other[2:], one[2:])}
	k, err := mqadapt.NewTaker(q, mqadapt.TakerOptions{Channel: "c", Early: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 2 {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if s := k.Stats(); s.Lost != 1 || s.Frames != 1+3+1 {
		t.Errorf("%+v", s)
	}
	if q.acked != 2 {
		t.Errorf("acknowledged up to %d, and two of the other source wait", q.acked)
	}
	q.kept = append(q.kept, other[1])
	if _, err := k.Do(); err != nil {
		t.Fatal(err)
	}
	if s := k.Stats(); s.Lost != 1 || s.Frames != 4+4 || q.acked != 8 {
		t.Errorf("%+v, acknowledged up to %d", s, q.acked)
	}
}

// bounded is a getter that lends no more than so many deliveries that are not acknowledged.
type bounded struct {
	getter
	most  int
	alone map[uint64]bool
}

func (b *bounded) Get(batch []mqadapt.Delivery, wait time.Duration) (int, error) {
	out := b.given - int(b.acked)
	for position := range b.alone {
		if position > b.acked {
			out--
		}
	}
	return b.getter.Get(batch[:min(len(batch), b.most-out)], wait)
}

func (b *bounded) AckOne(position uint64) error {
	if b.alone[position] || position <= b.acked {
		return fmt.Errorf("%d twice", position)
	}
	b.alone[position] = true
	return nil
}

// What waits for an envelope that comes behind more than the consumer lends does not hold that one up: not what others have sent, nor what who
// ships has put again.
func TestEarlyDeliveriesLeaveRoomForWhatTheyWaitFor(t *testing.T) {
	one, other := shipped(t, 5), shipped(t, 100)
	again := slices.Repeat(one[2:], 10)
	q := &bounded{getter: getter{kept: slices.Concat(one[:1], one[2:], other, again, one[1:])}, most: 10, alone: map[uint64]bool{}}
	k, err := mqadapt.NewTaker(q, mqadapt.TakerOptions{Channel: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for range 200 {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if s := k.Stats(); s.Lost != 0 || s.Frames != 105 || s.Repeated != 33 || q.acked != uint64(len(q.kept)) {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, len(q.kept))
	}
}

// A consumer that lends ten deliveries at most lends more where single ones are done with.
func ExampleSelective() {
	q := &bounded{getter: getter{kept: make([][]byte, 12)}, most: 10, alone: map[uint64]bool{}}
	var c mqadapt.Consumer = q
	batch := make([]mqadapt.Delivery, 20)
	lent, _ := c.Get(batch, 0)
	if one, ok := c.(mqadapt.Selective); ok {
		_ = one.AckOne(4)
	}
	more, _ := c.Get(batch, 0)
	fmt.Println(lent, more, c.Position())
	// Output: 10 1 0
}
