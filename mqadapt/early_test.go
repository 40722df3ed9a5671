package mqadapt_test

import (
	"slices"
	"testing"

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
