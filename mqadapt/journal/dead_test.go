package journal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// Dead letters come back as they were, among them what is no envelope; they outlive the journal's next life, and a group reads them, too.
func TestDeadLettersComeBackAsTheyWere(t *testing.T) {
	dir := bedDir(t)
	whole := envelope(3, 100)
	b := make([]byte, whole.Size())
	whole.PutBytes(b)
	letters := [][]byte{[]byte("no envelope"), nil, b, bytes.Repeat([]byte{9}, maxEntry+100)}
	for _, l := range letters {
		d, err := OpenDead(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Add(mqadapt.Delivery{Envelope: l, Position: 42}, mqadapt.ErrMalformed), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := Scan(dir, 0, func(e Entry) error {
		want := letters[n]
		if len(want) > maxEntry {
			want = want[:len(e.Envelope)]
		}
		if e.Dead == nil || e.Dead.Position != 42 || e.Dead.Why != mqadapt.ErrMalformed.Error() || !bytes.Equal(e.Envelope, want) {
			t.Errorf("entry %d: %+v, %d bytes", e.Number, e.Dead, len(e.Envelope))
		}
		n++
		return nil
	}); err != nil || n != len(letters) {
		t.Fatal(n, err)
	}
	c, err := Verify(dir)
	if err != nil || c.Next != 5 {
		t.Fatal(c, err)
	}
	done, err := Replay{Dir: dir}.Run(t.Context(), func(seal.Frame) error { return nil })
	if err != nil || done.Foreign != 4 && done.Messages == 0 {
		t.Fatal(done, err)
	}
	j, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	g, err := j.Consumer("g")
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]mqadapt.Delivery, 8)
	if k, err := g.Get(batch, 0); k != 4 || err != nil || string(batch[0].Envelope) != "no envelope" {
		t.Fatal(k, err)
	}
}

// At their bound the oldest dead letters go, and the newest are there: a flood of them stops no channel.
func TestOldestDeadLettersGoFirst(t *testing.T) {
	dir := bedDir(t)
	d, err := OpenDead(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const size = maxEntry / 2
	const count = DeadBytes/size + 40
	letter := make([]byte, size)
	for i := range count {
		letter[0] = byte(i)
		if err := d.Add(mqadapt.Delivery{Envelope: letter, Position: uint64(i + 1)}, mqadapt.ErrForeign); err != nil {
			t.Fatal(i, err)
		}
	}
	first, last := uint64(0), uint64(0)
	if err := Scan(dir, 0, func(e Entry) error {
		if first == 0 {
			first = e.Number
		}
		last = e.Dead.Position
		return nil
	}); err != nil || last != count || first < 2 {
		t.Fatal(first, last, err)
	}
	c, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, s := range c.Segments {
		total += s.Bytes
	}
	if total > DeadBytes {
		t.Errorf("%d bytes", total)
	}
}

// A dead letter whose parts contradict each other is corrupt, as any other record.
func TestDeadLetterThatLiesIsRefused(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, deadHeader-1), append(make([]byte, 8), 1, 0, 0, 0, 0, 0, 0, 0)} {
		r := record{payload: b}
		if err := r.letter(); err == nil || !strings.Contains(err.Error(), "dead letter") {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}
