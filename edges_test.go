package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

func nothing(seal.Frame) {}

func TestDrainWaitsForTheLastMessage(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		p, s := publisher(t, n, "trades"), subscriber(t, n, "trades")
		send(t, p, 0, 1)
		var g got
		g.poll(t, s, 1)
		send(t, p, 1, 6) // single commits: the published position is behind them
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := n.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain with five messages to come: %v", err)
		}
		g.poll(t, s, 6)
		if err := n.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestPublishersTakeTurnsHoweverSmallThePolls(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		a, b, s := publisher(t, n, "trades"), publisher(t, n, "trades"), subscriber(t, n, "trades")
		send(t, a, 0, 1000)
		send(t, b, 0, 1000)
		count := map[uint64]int{}
		for range 1000 {
			if _, err := s.Poll(1, func(f seal.Frame) { count[f.Source]++ }); err != nil {
				t.Fatal(err)
			}
		}
		if x, y := count[a.Source()], count[b.Source()]; x < 400 || y < 400 {
			t.Errorf("%d of one, %d of the other", x, y)
		}
	})
}

func TestSubscriberClosesWithinItsOwnPoll(t *testing.T) {
	eachKind(t, func(t *testing.T, c transport.Config) {
		n := open(t, c)
		p, s := publisher(t, n, "trades"), subscriber(t, n, "trades")
		send(t, p, 0, 10)
		frames := 0
		for frames == 0 {
			if _, err := s.Poll(10, func(seal.Frame) { frames++; _ = s.Close() }); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Poll(10, nothing); frames != 1 || !errors.Is(err, ring.ErrClosed) {
			t.Errorf("%d frames, then %v", frames, err)
		}
	})
}

func TestLossBeforeTheFirstLookIsCounted(t *testing.T) {
	const total = 20000
	c := transport.Config{Dir: t.TempDir(), Channels: map[string]transport.Channel{"trades": {Capacity: 1 << 16}}}
	s := subscriber(t, open(t, c), "trades")
	frames, last, sent := uint64(0), uint64(0), 0
	for p, end := publisher(t, open(t, c), "trades"), time.Now().Add(10*time.Second); last < total; {
		for err := error(nil); sent < total && err == nil; sent++ {
			if err = p.Send(binary.LittleEndian.AppendUint64(nil, uint64(sent))); errors.Is(err, ring.ErrFull) {
				break // the subscriber has found the ring meanwhile
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Poll(100, func(f seal.Frame) { frames++; last = f.Seq }); err != nil || time.Now().After(end) {
			t.Fatal(frames, err, s.Err())
		}
		_ = s.Wait(time.Millisecond)
	}
	if frames+s.Lost() != total {
		t.Errorf("%d frames and %d lost of %d", frames, s.Lost(), total)
	}
}

// TestFaultOfAnotherRingDropsNobody: a function that forwards into a ring whose file was cut gets its error, and the
// messages again.
func TestFaultOfAnotherRingDropsNobody(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	n, m := open(t, transport.Config{Dir: in}), open(t, transport.Config{Dir: out, Source: "bridge"})
	p, s, q := publisher(t, n, "trades"), subscriber(t, n, "trades"), publisher(t, m, "trades")
	send(t, p, 0, 3)
	file := filepath.Join(out, "trades", "bridge.0.ring")
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	var sent error
	_, err := s.Poll(10, func(f seal.Frame) {
		b, err := q.Claim(len(f.Payload))
		if sent = err; err == nil {
			copy(b, f.Payload)
		}
	})
	if !errors.Is(err, ring.ErrCorrupt) || !strings.Contains(err.Error(), file) {
		t.Errorf("poll: %v, claim: %v", err, sent)
	}
	if err := q.Send([]byte("x")); !errors.Is(err, ring.ErrCorrupt) {
		t.Errorf("send: %v", err)
	}
	if err := transport.Guard(func() error { _, err := q.Claim(100_000); return err }); !errors.Is(err, ring.ErrCorrupt) {
		t.Errorf("claim under Guard: %v", err)
	}
	var g got
	g.poll(t, s, 3)
	g.want(t, 0, 3)
	if err := os.Truncate(file, 4096+ring.DefaultCapacity); err != nil {
		t.Fatal(err)
	}
}

func TestSubscriberWithoutASlotSaysSoAndComesInLater(t *testing.T) {
	n := open(t, transport.Config{})
	var all []*transport.Subscriber
	for range ring.MaxReaders + 1 {
		all = append(all, subscriber(t, n, "trades"))
	}
	p := publisher(t, n, "trades")
	send(t, p, 0, 1)
	last := all[ring.MaxReaders]
	if err := last.Err(); !errors.Is(err, ring.ErrNoSlot) {
		t.Fatalf("one too many: %v", err)
	}
	if err := all[0].Close(); err != nil {
		t.Fatal(err)
	}
	var g got
	for end := time.Now().Add(10 * time.Second); last.Publishers() == 0; {
		if time.Now().After(end) {
			t.Fatal(last.Err())
		}
		_ = last.Wait(time.Millisecond)
	}
	send(t, p, 1, 2)
	g.poll(t, last, 1)
	if err := last.Err(); err != nil {
		t.Error(err)
	}
}
