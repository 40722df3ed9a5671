package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

func TestEntriesComeBackInOrderAcrossSegments(t *testing.T) {
	for _, d := range []mqadapt.Durability{mqadapt.Memory, mqadapt.Process, mqadapt.OS} {
		t.Run(d.String(), func(t *testing.T) {
			j := bed(t, Options{Segment: leastSegment, Durability: d})
			a := bedAppender(t, j)
			put(t, a, 1, 1000, 500)
			if s := a.Stats(); s.Segments < 3 || s.Entries != 1000 || (s.Syncs > 0) != (d == mqadapt.OS) {
				t.Errorf("%+v", s)
			}
			read(t, bedConsumer(t, j, "one"), 1, 1000)
			c := bedConsumer(t, j, "two")
			read(t, c, 1, 400)
			put(t, a, 1001, 1100, 3000)
			read(t, c, 401, 1100)
			nothing(t, c)
		})
	}
}

func TestGroupGoesOnWhereItAcknowledged(t *testing.T) {
	o := Options{Dir: t.TempDir(), Segment: leastSegment}
	j := bed(t, o)
	put(t, bedAppender(t, j), 1, 600, 500)
	c := bedConsumer(t, j, "g")
	read(t, c, 1, 250)
	batch := make([]mqadapt.Delivery, 100)
	if n, err := c.Get(batch, 0); n != 100 || err != nil { // lent, not acknowledged
		t.Fatal(n, err)
	}
	if err := c.Ack(batch[9].Position); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = bed(t, o)
	put(t, bedAppender(t, j), 601, 700, 500)
	c = bedConsumer(t, j, "g")
	read(t, c, 261, 700)
	if c.Position() != 700 {
		t.Error(c.Position())
	}
}

func TestOneMemberOfAGroupReadsAndTheNextGoesOn(t *testing.T) {
	j := bed(t, Options{})
	put(t, bedAppender(t, j), 1, 10, 50)
	one, two := bedConsumer(t, j, "g"), bedConsumer(t, j, "g")
	read(t, one, 1, 5)
	nothing(t, two)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	read(t, two, 6, 10)
}

func TestSecondProducerLearnsWhoTheFirstIs(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	j, k := bed(t, o), bed(t, o)
	a := bedAppender(t, j)
	for _, other := range []*Journal{j, k} {
		if _, err := other.Appender(); !errors.Is(err, mqadapt.ErrOwned) {
			t.Fatal(err)
		}
	}
	if _, err := k.Appender(); !strings.Contains(err.Error(), "process "+itoa(os.Getpid())) || !strings.Contains(err.Error(), o.Dir) {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if b := bedAppender(t, k); b.epoch <= a.epoch {
		t.Errorf("epoch %d after %d", b.epoch, a.epoch)
	}
}

func TestFencedProducerStops(t *testing.T) {
	j := bed(t, Options{})
	a := bedAppender(t, j)
	put(t, a, 1, 3, 50)
	if err := j.state.set(stateEpoch, uint64(a.epoch)+1); err != nil { // as somebody without a lock would
		t.Fatal(err)
	}
	for range 2 {
		if n, err := a.Put([]mqadapt.Envelope{envelope(4, 50)}); n != 0 || !errors.Is(err, mqadapt.ErrFenced) {
			t.Fatal(n, err)
		}
	}
	if _, err := a.Settle(make([]mqadapt.Outcome, 1), 0); !errors.Is(err, mqadapt.ErrFenced) {
		t.Error(err)
	}
	c := bedConsumer(t, j, "g")
	read(t, c, 1, 3)
	nothing(t, c)
}

func TestSizeBoundHoldsWhatAGroupStillNeeds(t *testing.T) {
	j := bed(t, Options{Segment: leastSegment, MaxBytes: 2 * leastSegment})
	a := bedAppender(t, j)
	c := bedConsumer(t, j, "slow")
	sent, rejected := uint64(0), mqadapt.Outcome{}
	for rejected.Verdict != mqadapt.Rejected && sent < 1000 {
		if n, err := a.Put([]mqadapt.Envelope{envelope(sent+1, 1000)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if rejected = settle(t, a, 1)[0]; rejected.Verdict == mqadapt.Accepted {
			sent++
		}
	}
	if !errors.Is(rejected.Why, mqadapt.ErrFull) || !strings.Contains(rejected.Why.Error(), "group slow") {
		t.Fatal(sent, rejected.Why)
	}
	// What comes after a rejected one is not accepted before it is: in order.
	if n, err := a.Put([]mqadapt.Envelope{envelope(sent+1, 1000), envelope(sent+2, 16)}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, o := range settle(t, a, 2) {
		if o.Verdict != mqadapt.Rejected {
			t.Error(o)
		}
	}
	read(t, c, 1, sent)
	time.Sleep(againAfter) // it does not look again before
	put(t, a, sent+1, sent+20, 1000)
	read(t, c, sent+1, sent+20)
	if s := a.Stats(); s.Dropped == 0 || s.Bytes > 2*leastSegment {
		t.Errorf("%+v", s)
	}
}

func TestDropOldestTellsTheGroupWhatItLost(t *testing.T) {
	j := bed(t, Options{Segment: leastSegment, MaxBytes: 2 * leastSegment, DropOldest: true})
	a := bedAppender(t, j)
	c := bedConsumer(t, j, "slow")
	put(t, a, 1, 50, 1000)
	read(t, c, 1, 10)
	put(t, a, 51, 1000, 1000)
	batch := make([]mqadapt.Delivery, 1)
	due := uint64(11)
	for due <= 1000 {
		n, err := c.Get(batch, time.Second)
		if n != 1 || err != nil {
			t.Fatal(n, err)
		}
		due += batch[0].Lost
		if got, err := numberOf(batch[0].Envelope); err != nil || got != due {
			t.Fatalf("envelope %d where %d is due: %v", got, due, err)
		}
		due++
	}
}

func TestAgeLetsGoWhatAllGroupsHavePassed(t *testing.T) {
	j := bed(t, Options{Segment: leastSegment, MaxAge: time.Nanosecond})
	a := bedAppender(t, j)
	c := bedConsumer(t, j, "g")
	put(t, a, 1, 500, 1000)
	if s := a.Stats(); s.Dropped != 0 {
		t.Fatalf("%+v", s)
	}
	read(t, c, 1, 500)
	put(t, a, 501, 700, 1000)
	if s := a.Stats(); s.Dropped < 3 {
		t.Errorf("%+v", s)
	}
	read(t, c, 501, 700)
}

// The wall clock may jump while a journal is open, and go back while it is closed: stamps never do.
func TestStampsDoNotFollowTheWallClock(t *testing.T) {
	future := time.Now().Add(time.Hour).UnixNano()
	c := newClock(time.Now(), future)
	if one, two := c.now(), c.now(); one < future || two < one || one > future+int64(time.Minute) {
		t.Error(one-future, two-one)
	}
}

func TestTooLargeIsRefusedAndTheRestTaken(t *testing.T) {
	j := bed(t, Options{})
	a := bedAppender(t, j)
	large := envelope(1, maxEntry)
	if n, err := a.Put([]mqadapt.Envelope{large, envelope(1, 65000)}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	out := settle(t, a, 2)
	if !errors.Is(out[0].Why, mqadapt.ErrRefused) || out[0].Verdict != mqadapt.Rejected || out[1].Verdict != mqadapt.Accepted {
		t.Fatal(out)
	}
	read(t, bedConsumer(t, j, "g"), 1, 1)
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, d := range []mqadapt.Durability{mqadapt.Memory, mqadapt.Process} {
		a := bedAppender(t, bed(t, Options{Durability: d}))
		batch, out := make([]mqadapt.Envelope, 16), make([]mqadapt.Outcome, 16)
		for i := range batch {
			batch[i] = envelope(uint64(i)+1, 64)
		}
		if n := testing.AllocsPerRun(1000, func() {
			if n, err := a.Put(batch); n != len(batch) || err != nil {
				t.Fatal(n, err)
			}
			if n, err := a.Settle(out, 0); n != len(out) || err != nil {
				t.Fatal(n, err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations", d, n)
		}
	}
}

func TestOptionsReportAllFaultsTogether(t *testing.T) {
	_, err := Open(Options{Segment: 5, MaxAge: -1, Durability: 9})
	for _, want := range []string{"no directory", "segment of 5", "negative age", "durability 9"} {
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, mqadapt.ErrOptions) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestForgottenGroupHoldsNothing(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	j := bed(t, o)
	put(t, bedAppender(t, j), 1, 5, 50)
	c := bedConsumer(t, j, "g")
	read(t, c, 1, 5)
	if err := Forget(o.Dir, "g"); !errors.Is(err, mqadapt.ErrOwned) {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), Forget(o.Dir, "g")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "g"+cursorSuffix)); !gone(err) {
		t.Error(err)
	}
	read(t, bedConsumer(t, j, "g"), 1, 5)
}
