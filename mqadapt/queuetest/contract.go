package queuetest

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func everyGroupHasEverything(b *bench) {
	q := b.queue()
	early := b.consumer(q, "early")
	b.quiet(early)
	p := b.producer(q)
	for i := range uint64(50) {
		b.put(p, append(some(1, i*10+1, i*10+10, 100), some(2, i*5+1, i*5+5, 1000)...)...)
	}
	want := tally{1: 500, 2: 250}
	b.take(early, tally{}, want, true)
	b.take(b.consumer(q, "late"), tally{}, want, true)
	b.quiet(early)
}

func eachHasOneOutcome(b *bench) {
	p := b.producer(b.queue())
	out := make([]mqadapt.Outcome, 8)
	if n, err := p.Settle(out, 0); n != 0 || err != nil {
		b.Fatalf("%d outcomes of nothing: %v", n, err)
	}
	if n, err := p.Put(nil); n != 0 || err != nil {
		b.Fatal(n, err)
	}
	b.put(p, some(1, 1, 300, 200)...)
	if n, err := p.Settle(out, time.Millisecond); n != 0 || err != nil {
		b.Fatalf("%d outcomes too many: %v", n, err)
	}
}

func unacknowledgedComesAgain(b *bench) {
	q := b.queue()
	b.put(b.producer(q), some(1, 1, 40, 100)...)
	c := b.consumer(q, "g")
	had := tally{}
	last := b.take(c, had, tally{1: 10}, true)
	acked := had[1]
	if had[1] < 40 {
		b.take(c, had, tally{1: 40}, false)
	}
	if c.Position() != last {
		b.Errorf("position %d, acknowledged %d", c.Position(), last)
	}
	if err := q.Close(); err != nil {
		b.Fatal(err)
	}
	b.take(b.consumer(b.queue(), "g"), tally{1: acked}, tally{1: 40}, true)
	b.quiet(b.consumer(b.queue(), "g"))
}

func memberTakesOver(b *bench) {
	q := b.queue()
	one, two := b.consumer(q, "g"), b.consumer(q, "g")
	p := b.producer(q)
	had := tally{}
	for i := range uint64(10) {
		b.put(p, some(1, i*10+1, i*10+10, 100)...)
		if i == 4 {
			if err := one.Close(); err != nil {
				b.Fatal(err)
			}
			one = two
		}
		b.take(one, had, tally{1: i*10 + 10}, true)
	}
}

func slowGroupDisturbsNoOther(b *bench) {
	q := b.queue()
	slow, fast := b.consumer(q, "slow"), b.consumer(q, "fast")
	p := b.producer(q)
	had := tally{}
	b.put(p, some(1, 1, 20, 100)...)
	b.take(slow, had, tally{1: 1}, false) // and sits on it
	for i := range uint64(20) {
		b.put(p, some(2, i*50+1, i*50+50, 500)...)
	}
	b.take(fast, tally{}, tally{1: 20, 2: 1000}, true)
	b.take(slow, had, tally{1: 20, 2: 1000}, true)
}

func largestComesBack(b *bench) {
	q := b.queue()
	b.put(b.producer(q), envelope(1, 1, b.bed.Largest), envelope(1, 2, 24), envelope(1, 3, b.bed.Largest-1))
	b.take(b.consumer(q, "g"), tally{}, tally{1: 3}, true)
}

func tooLargeIsRefused(b *bench) {
	q := b.queue()
	p := b.producer(q)
	o := b.offer(p, envelope(1, 1, b.bed.Largest+1))[0]
	if o.Verdict != mqadapt.Rejected || !errors.Is(o.Why, mqadapt.ErrRefused) {
		b.Fatalf("%s: %v", o.Verdict, o.Why)
	}
	b.put(p, some(1, 1, 5, 100)...)
	b.take(b.consumer(q, "g"), tally{}, tally{1: 5}, true)
}

func oneProducer(b *bench) {
	q, other := b.queue(), b.queue()
	p := b.producer(q)
	second, err := other.Producer()
	if !b.bed.Exclusive {
		if err != nil {
			b.Fatal(err)
		}
		b.put(p, some(1, 1, 5, 100)...)
		b.put(second, some(2, 1, 5, 100)...)
		b.take(b.consumer(q, "g"), tally{}, tally{1: 5, 2: 5}, true)
		return
	}
	if !errors.Is(err, mqadapt.ErrOwned) {
		b.Fatal(err)
	}
	b.put(p, some(1, 1, 5, 100)...)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	b.put(b.producer(other), some(1, 6, 10, 100)...)
	b.take(b.consumer(q, "g"), tally{}, tally{1: 10}, true)
}

func fullQueueSaysSo(b *bench) {
	if b.bed.Bounded == nil {
		b.Log("this backend has no bound that it could be shown with")
		return
	}
	b.connect = b.bed.Bounded(b.T)
	q := b.queue()
	c := b.consumer(q, "g")
	had := tally{}
	p := b.producer(q)
	sent, full, longest := uint64(0), false, time.Duration(0)
	out := make([]mqadapt.Outcome, 1)
	try := func() (accepted bool, why error) {
		began := time.Now()
		n, err := p.Put([]mqadapt.Envelope{envelope(1, sent+1, 1000)})
		longest = max(longest, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return false, mqadapt.ErrFull
		}
		b.until("an outcome", func() bool {
			n, err := p.Settle(out, time.Millisecond)
			if err != nil {
				b.Fatal(err)
			}
			return n == 1
		})
		if out[0].Verdict == mqadapt.Accepted {
			sent++
		}
		return out[0].Verdict == mqadapt.Accepted, out[0].Why
	}
	for !full && sent <= uint64(b.bed.Full) {
		ok, why := try()
		if full = !ok; full && !errors.Is(why, mqadapt.ErrFull) {
			b.Fatal(why)
		}
	}
	if !full {
		b.Fatalf("it took %d", sent)
	}
	for range 100 {
		if ok, _ := try(); ok {
			b.Fatal("a full queue took one more")
		}
	}
	if longest > b.bed.Patience/2 {
		b.Errorf("a put took %s", longest)
	}
	b.take(c, had, tally{1: sent}, true)
	b.until("room", func() bool { ok, _ := try(); return ok })
	b.put(p, some(1, sent+1, sent+10, 1000)...)
	b.take(c, had, tally{1: sent + 10}, true)
}

func closedSaysSo(b *bench) {
	q := b.queue()
	p, c := b.producer(q), b.consumer(q, "g")
	b.put(p, some(1, 1, 3, 100)...)
	b.take(c, tally{}, tally{1: 3}, true)
	if err := errors.Join(p.Close(), c.Close()); err != nil {
		b.Fatal(err)
	}
	if _, err := p.Put(some(1, 4, 4, 100)); !errors.Is(err, mqadapt.ErrClosed) {
		b.Error(err)
	}
	if _, err := c.Get(make([]mqadapt.Delivery, 1), 0); !errors.Is(err, mqadapt.ErrClosed) {
		b.Error(err)
	}
	if err := c.Ack(1); !errors.Is(err, mqadapt.ErrClosed) {
		b.Error(err)
	}
	if err := q.Close(); err != nil {
		b.Fatal(err)
	}
	if _, err := q.Producer(); !errors.Is(err, mqadapt.ErrClosed) {
		b.Error(err)
	}
	if _, err := q.Consumer("g"); !errors.Is(err, mqadapt.ErrClosed) {
		b.Error(err)
	}
}

// backlogIsTrue puts, takes and acknowledges, and looks at the backlog in between. What a member has and has not acknowledged counts.
func backlogIsTrue(b *bench) {
	q := b.queue()
	p := b.producer(q)
	asked, ok := q.(mqadapt.Backlogged)
	if !ok {
		b.Log("this backend does not tell a backlog")
		return
	}
	if _, err := asked.Backlog("g"); errors.Is(err, errors.ErrUnsupported) {
		b.Log(err)
		return
	}
	waits := func(when string) {
		b.Helper()
		for range 3 {
			if n, err := asked.Backlog("g"); n == 0 || err != nil {
				b.Fatalf("%s: a backlog of %d, %v", when, n, err)
			}
		}
	}
	b.put(p, some(1, 1, 40, 100)...)
	waits("nobody ever took")
	had := tally{}
	c := b.consumer(q, "g")
	b.take(c, had, tally{1: 40}, false)
	b.quiet(c)
	waits("all is taken and nothing acknowledged")
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
	waits("who took is gone")
	c = b.consumer(q, "g")
	last := b.take(c, tally{}, tally{1: 40}, false)
	if err := c.Ack(last - 1); err != nil {
		b.Fatal(err)
	}
	b.quiet(c)
	waits("one is not acknowledged")
	if err := c.Ack(last); err != nil {
		b.Fatal(err)
	}
	none := func() bool {
		b.quiet(c)
		n, err := asked.Backlog("g")
		if err != nil {
			b.Fatal(err)
		}
		return n == 0
	}
	b.until("no backlog", none)
	b.put(p, some(1, 41, 41, 100)...)
	waits("one more")
	last = b.take(c, had, tally{1: 41}, true)
	b.until("no backlog again", none)
	if c.Position() != last {
		b.Errorf("position %d, acknowledged %d", c.Position(), last)
	}
}

// traceIsNative puts an envelope with trace context and one without. The envelope is what it was, and the context is said again in the
// backend's own header, where tracers of others look.
func traceIsNative(b *bench) {
	q := b.queue()
	traced := envelope(1, 1, 100)
	traced.Traced = true
	copy(traced.Body[len(traced.Body)-seal.TraceSize:], "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36\x00\xf0\x67\xaa\x0b\xa9\x02\xb7\x01")
	b.put(b.producer(q), traced, envelope(1, 2, 100))
	if b.bed.Parents != nil {
		want := []string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""}
		if got := b.bed.Parents(b.T, q, 2); !slices.Equal(got, want) {
			b.Errorf("%q", got)
		}
	}
	want := make([]byte, traced.Size())
	traced.PutBytes(want)
	c, batch := b.consumer(q, "g"), make([]mqadapt.Delivery, 1)
	b.until("the envelope", func() bool {
		n, err := c.Get(batch, 10*time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		return n == 1
	})
	if !bytes.Equal(batch[0].Envelope, want) {
		b.Errorf("%x is not what was put", batch[0].Envelope)
	}
}
