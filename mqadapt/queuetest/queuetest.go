// Package queuetest is what every queue is held to: one suite, run against each backend.
//
// A backend's test makes a Bed and calls Run. The suite puts numbered envelopes, gets them from several groups, closes members that have not
// acknowledged, and holds the queue to the contract of package mqadapt; then it carries rings through the queue into mirrors with a Shipper
// and a Taker, with a link that loses outcomes, rejects and repeats, and wants every (source, epoch, seq) once and in order.
//
// Limits: it waits at most Bed.Patience for anything that is to come. It cannot kill a broker: that is the backend's own test.
package queuetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// Bed is a backend under test.
type Bed struct {
	// New makes an empty queue and returns how to connect to it. What it connects is closed by the suite.
	New func(t *testing.T) func() (mqadapt.Queue, error)

	// Bounded is New for a queue that is full after at most Full envelopes of a kilobyte that a group has not acknowledged, and says so
	// instead of dropping any. nil: the backend has no such bound.
	Bounded func(t *testing.T) func() (mqadapt.Queue, error)
	Full    int

	// Exclusive says that the queue has one producer at a time.
	Exclusive bool

	// Largest is the largest body that the queue takes; 0 means seal.MaxBody.
	Largest int

	// Parents reads the queue as a foreign client does, for the group g, and returns the first n messages' native header traceparent; empty
	// where a message has none. nil: the backend has no headers.
	Parents func(t *testing.T, q mqadapt.Queue, n int) []string

	// Patience bounds every wait; 0 means 20 s.
	Patience time.Duration
}

// Run holds a backend to the contract.
func Run(t *testing.T, b Bed) {
	if b.Largest == 0 {
		b.Largest = seal.MaxBody
	}
	if b.Patience == 0 {
		b.Patience = 20 * time.Second
	}
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"every group has everything in order", everyGroupHasEverything},
		{"each envelope taken has one outcome, in order", eachHasOneOutcome},
		{"what is not acknowledged comes again", unacknowledgedComesAgain},
		{"a group's member takes over from the one before", memberTakesOver},
		{"a slow group disturbs no other", slowGroupDisturbsNoOther},
		{"the largest envelope comes back whole", largestComesBack},
		{"what is too large is refused for good", tooLargeIsRefused},
		{"one producer at a time", oneProducer},
		{"a full queue says so, and nobody waits", fullQueueSaysSo},
		{"a backlog is never told as none too early", backlogIsTrue},
		{"trace context is where others look for it", traceIsNative},
		{"what is closed says so", closedSaysSo},
		{"rings come out as mirrors, once and in order", ringsComeOut},
		{"a link that loses, rejects and repeats changes nothing", badLink},
		{"what is sealed and packed opens for whom it is meant", sealedAndPacked},
		{"nothing overtakes a source's first envelope", firstComesFirst},
		{"both workers are replaced over and over", workersReplaced},
		{"large messages travel in parts", largeMessages},
		{"a refused envelope is told as lost", refusedIsTold},
		{"a poison envelope is given up and the rest goes on", poisonIsGivenUp},
		{"a mirror nobody reads stops the taker and loses nothing", fullMirror},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&bench{t, b, nil}) })
	}
}

// bench is one test on a queue of its own.
type bench struct {
	*testing.T
	bed     Bed
	connect func() (mqadapt.Queue, error)
}

// queue connects to the test's queue.
func (b *bench) queue() mqadapt.Queue {
	b.Helper()
	if b.connect == nil {
		b.connect = b.bed.New(b.T)
	}
	q, err := b.connect()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := q.Close(); err != nil && !errors.Is(err, mqadapt.ErrClosed) {
			b.Error(err)
		}
	})
	return q
}

func (b *bench) producer(q mqadapt.Queue) mqadapt.Producer {
	b.Helper()
	p, err := q.Producer()
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func (b *bench) consumer(q mqadapt.Queue, group string) mqadapt.Consumer {
	b.Helper()
	c, err := q.Consumer(group)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// until calls fn until it is true.
func (b *bench) until(what string, fn func() bool) {
	b.Helper()
	for end := time.Now().Add(b.bed.Patience); !fn(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("%s: not within %s", what, b.bed.Patience)
		}
	}
}

const channelName = "queuetest"

// envelope is the one of a number and a source: what is in it follows from both.
func envelope(source, seq uint64, size int) mqadapt.Envelope {
	body := make([]byte, max(size, 24))
	for i := range body {
		body[i] = byte(uint64(i)*7 + seq + source)
	}
	binary.LittleEndian.PutUint64(body, source)
	binary.LittleEndian.PutUint64(body[8:], seq)
	binary.LittleEndian.PutUint64(body[16:], uint64(crc32.ChecksumIEEE(body[24:])))
	return mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: seal.ChannelID(channelName), Source: source, Epoch: 7, Seq: seq}, Body: body}
}

// whole checks that a delivery is what was put and returns its name.
func whole(d mqadapt.Delivery) (source, seq uint64, err error) {
	var h seal.Header
	if err := h.Parse(d.Envelope); err != nil {
		return 0, 0, err
	}
	want := envelope(h.Source, h.Seq, h.Length)
	b := make([]byte, want.Size())
	want.PutBytes(b)
	if string(b) != string(d.Envelope) {
		return 0, 0, fmt.Errorf("envelope %d of source %d is not what was put", h.Seq, h.Source)
	}
	return h.Source, h.Seq, nil
}

// put puts envelopes and wants each accepted.
func (b *bench) put(p mqadapt.Producer, all ...mqadapt.Envelope) {
	b.Helper()
	for i, o := range b.offer(p, all...) {
		if o.Verdict != mqadapt.Accepted || o.Why != nil {
			b.Fatalf("envelope %d: %s: %v", all[i].Seq, o.Verdict, o.Why)
		}
	}
}

// offer puts envelopes and returns their outcomes.
func (b *bench) offer(p mqadapt.Producer, all ...mqadapt.Envelope) []mqadapt.Outcome {
	b.Helper()
	out := make([]mqadapt.Outcome, len(all)+1)
	sent, got := 0, 0
	b.until("outcomes", func() bool {
		n, err := p.Put(all[sent:])
		if err != nil || n < 0 || n > len(all)-sent {
			b.Fatalf("took %d of %d: %v", n, len(all)-sent, err)
		}
		sent += n
		k, err := p.Settle(out[got:], time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		if got += k; got > sent {
			b.Fatalf("%d outcomes of %d envelopes", got, sent)
		}
		return got == len(all)
	})
	return out[:got]
}

// some are the envelopes from..to of a source.
func some(source, from, to uint64, size int) (all []mqadapt.Envelope) {
	for seq := from; seq <= to; seq++ {
		all = append(all, envelope(source, seq, size))
	}
	return all
}

// tally follows what a group gets: each source from its first number on, without gaps; what comes again is passed.
type tally map[uint64]uint64

// take gets deliveries until every source of want is there up to its number, acknowledging at the end of each batch if asked.
func (b *bench) take(c mqadapt.Consumer, had tally, want tally, acknowledge bool) (last uint64) {
	b.Helper()
	batch := make([]mqadapt.Delivery, 16)
	b.until("deliveries", func() bool {
		n, err := c.Get(batch, 10*time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range batch[:n] {
			source, seq, err := whole(d)
			if err != nil {
				b.Fatal(err)
			}
			if seq > had[source]+1 {
				b.Fatalf("source %d: %d where %d is due", source, seq, had[source]+1)
			}
			if d.Position <= last {
				b.Fatalf("position %d after %d", d.Position, last)
			}
			had[source], last = max(had[source], seq), d.Position
		}
		if n > 0 && acknowledge {
			if err := c.Ack(last); err != nil {
				b.Fatal(err)
			}
		}
		for source, seq := range want {
			if had[source] < seq {
				return false
			}
		}
		return true
	})
	return last
}

// quiet wants nothing to come. It looks for a while that is short, so it cannot see everything; it never fails by chance.
func (b *bench) quiet(c mqadapt.Consumer) {
	b.Helper()
	if n, err := c.Get(make([]mqadapt.Delivery, 1), 20*time.Millisecond); n != 0 || err != nil {
		b.Fatalf("%d deliveries, %v", n, err)
	}
}
