package simnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// sentLine is a line whose datagrams end in a list.
func sentLine(t testing.TB, seed uint64, faults string) (*line, *[]string) {
	t.Helper()
	sent := &[]string{}
	return newLine(NewScript(seed, Up, mustParse(t, faults)), func(b []byte, _ *client) error {
		*sent = append(*sent, string(b))
		return nil
	}), sent
}

func TestHeldDatagramsGoBehindAsManyAsAsked(t *testing.T) {
	l, sent := sentLine(t, 1, "")
	put := func(name string, faults Faults) {
		l.script.Set(0, faults)
		l.enter(0, []byte(name), nil)
	}
	put("a", Faults{})
	put("b", Faults{Reorder: 1, ReorderBy: 2})
	put("c", Faults{})
	put("x", Faults{Loss: 1}) // is no datagram to go first
	if c := l.counters(); c.Pending != 1 || c.Reordered != 0 || !c.Exact() {
		t.Fatalf("%+v", c)
	}
	put("d", Faults{Duplicate: 1}) // is one, though it goes twice
	put("e", Faults{})
	if got := strings.Join(*sent, ""); got != "acddbe" {
		t.Errorf("%s", got)
	}
	if c := l.counters(); c.Pending != 0 || c.Reordered != 1 || c.Forwarded != 6 || c.Duplicated != 1 || c.Lost != 1 || !c.Exact() {
		t.Errorf("%+v", c)
	}
}

func TestTheLastHeldDatagramLeavesByTheClock(t *testing.T) {
	l, sent := sentLine(t, 1, "reorder=100%/2,delay=5ms")
	l.enter(0, []byte("a"), nil)
	next, ok := l.expire(0)
	if want := 5*time.Millisecond + holdFor; !ok || next != want {
		t.Fatalf("next at %s, %v, not at %s", next, ok, want)
	}
	if l.expire(next - 1); len(*sent) > 0 {
		t.Fatal("left early")
	}
	if _, ok := l.expire(next); ok || len(*sent) != 1 {
		t.Fatalf("did not leave: %v", *sent)
	}
	if c := l.counters(); c.Reordered != 0 || c.Forwarded != 1 || !c.Exact() {
		t.Errorf("nobody overtook it: %+v", c)
	}
}

func TestDatagramsLeaveWhenTheyAreDueInOrder(t *testing.T) {
	l, sent := sentLine(t, 1, "delay=5ms")
	l.enter(0, []byte("a"), nil)
	l.enter(time.Millisecond, []byte("b"), nil)
	for at, want := range []string{"", "", "", "", "", "a", "ab"} {
		next, ok := l.expire(time.Duration(at) * time.Millisecond)
		if got := strings.Join(*sent, ""); got != want || ok != (want != "ab") || ok && next <= time.Duration(at)*time.Millisecond {
			t.Errorf("%d ms: %q, next %s %v", at, got, next, ok)
		}
	}
	if c := l.counters(); c.Delayed != 2 || c.Forwarded != 2 {
		t.Errorf("%+v", c)
	}
	l.enter(10*time.Millisecond, []byte("c"), nil)
	l.set(10*time.Millisecond, Faults{}) // lifts the delay also for what waits
	l.enter(10*time.Millisecond, []byte("d"), nil)
	l.expire(10 * time.Millisecond)
	if got := strings.Join(*sent, ""); got != "abcd" {
		t.Errorf("after the delay was lifted: %s", got)
	}
}

func TestMemoryOfALineIsBounded(t *testing.T) {
	l, _ := sentLine(t, 1, "delay=1h,dup=100%")
	for range maxPending/2 + 10 {
		l.enter(0, []byte("x"), nil)
	}
	if c := l.counters(); c.Pending != maxPending || c.Limited != 10 || c.Duplicated != maxPending/2 || !c.Exact() {
		t.Errorf("%+v", c)
	}
	l, _ = sentLine(t, 1, "delay=1h")
	big := make([]byte, 60_000)
	for range maxPendingBytes/len(big) + 10 {
		l.enter(0, big, nil)
	}
	if c := l.counters(); c.Limited != 10 || l.bytes > maxPendingBytes || !c.Exact() {
		t.Errorf("%+v, %d bytes", c, l.bytes)
	}
	l.close()
	l.enter(0, big, nil)
	if c := l.counters(); c.Pending != 0 || c.Unsent != uint64(maxPendingBytes/len(big)+1) || !c.Exact() {
		t.Errorf("closed: %+v", c)
	}
}

func TestWhatTheKernelRefusesIsCounted(t *testing.T) {
	l := newLine(NewScript(1, Up, Faults{Duplicate: 1}), func([]byte, *client) error { return errors.New("no") })
	l.enter(0, []byte("a"), nil)
	if c := l.counters(); c.Unsent != 2 || c.Forwarded != 0 || !c.Exact() {
		t.Errorf("%+v", c)
	}
}

// twin executes fates in the obvious way: a list of all that wait, looked through from the start each time.
type twin struct {
	script *Script
	wait   []parcel
	sent   []string
	number uint64
}

func (w *twin) enter(now time.Duration, b []byte) {
	w.number++
	f := w.script.Next(now, len(b))
	if f.Verdict != Passed {
		return
	}
	b = slices.Clone(b)[:f.Size]
	if f.Flip >= 0 {
		b[f.Flip/8] ^= 1 << (f.Flip % 8)
	}
	copies := uint64(1)
	if f.Twice {
		copies = 2
	}
	w.wait = append(w.wait, parcel{data: b, number: w.number, copies: copies, due: f.Due, behind: f.Behind})
	w.expire(now)
}

func (w *twin) expire(now time.Duration) {
	for again := true; again; {
		again = false
		for _, overtaken := range []bool{true, false} { // who has been overtaken often enough goes before anybody else
			i := slices.IndexFunc(w.wait, func(p parcel) bool {
				if p.behind == 0 {
					return !overtaken && p.due <= now
				}
				return overtaken && p.passed >= p.behind
			})
			if i >= 0 {
				w.leave(i)
				again = true
				break
			}
		}
	}
	for {
		i := slices.IndexFunc(w.wait, func(p parcel) bool { return p.behind > 0 && p.due+holdFor <= now })
		if i < 0 {
			return
		}
		w.leave(i)
	}
}

func (w *twin) leave(i int) {
	p := w.wait[i]
	w.wait = slices.Delete(w.wait, i, i+1)
	for range p.copies {
		w.sent = append(w.sent, string(p.data))
	}
	for j := range w.wait {
		if p.behind == 0 && w.wait[j].number < p.number {
			w.wait[j].passed++
		}
	}
}

func TestLineAgreesWithAListLookedThrough(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	const faults = "loss=5%,burst=1%/3,delay=2ms,jitter=3ms,reorder=15%/4,dup=10%,corrupt=10%,truncate=10%,rate=100kB/s,queue=1kB"
	for range 50 {
		s := rng.Uint64()
		l, sent := sentLine(t, s, faults)
		w := &twin{script: NewScript(s, Up, mustParse(t, faults))}
		var now time.Duration
		for i := range 500 {
			now += time.Duration(rng.Int64N(int64(time.Millisecond)))
			if rng.IntN(100) == 0 {
				now += 2 * holdFor
			}
			b := fmt.Appendf(nil, "datagram %d", i)
			l.expire(now)
			w.expire(now)
			w.enter(now, b)
			l.enter(now, b, nil)
			if c := l.counters(); !c.Exact() {
				t.Fatalf("%+v", c)
			}
		}
		l.expire(now + time.Hour)
		w.expire(now + time.Hour)
		if !slices.Equal(*sent, w.sent) {
			t.Fatalf("script seed %d:\n%q\n%q", s, *sent, w.sent)
		}
		if c := l.counters(); c.Pending != 0 || int(c.Forwarded) != len(*sent) || c.Reordered == 0 {
			t.Fatalf("%+v, %d sent", c, len(*sent))
		}
	}
}
