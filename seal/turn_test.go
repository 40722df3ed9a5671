package seal

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"
	"time"
)

func TestKeyTurnsByTimePacketsAndBytes(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		const start = 5 * time.Hour // the clock began long before the sealer
		for name, l := range map[string]Limits{
			"time":    {Time: time.Second},
			"packets": {Packets: 10},
			"bytes":   {Bytes: 40},
		} {
			e := newSealedEnd(t, suite, l, Window{})
			for i := range 40 {
				p := e.send("four", start+time.Duration(i)*time.Second/10)
				if want := i / 10; int(p.epoch()) != want || e.s.Announce(Nonce{}).Key != uint64(want) {
					t.Fatalf("%s: packet %d under key epoch %d, want %d", name, i, p.epoch(), want)
				}
				e.receive(p, 0)
			}
		}
	})
}

func TestReorderedPacketsOpenAroundATurn(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		seed := time.Now().UnixNano()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewSource(seed))
		e := newSealedEnd(t, suite, Limits{Packets: 60}, Window{})
		var sent []sealedPacket
		for i := range 60 * 600 { // key epochs go round more than twice
			sent = append(sent, e.send(fmt.Sprint("packet ", i), 0))
		}
		// Each may be late by up to 50, so at most two keys are on the way at once.
		for i := 0; i < len(sent); i += 50 {
			part := sent[i:min(i+50, len(sent))]
			rnd.Shuffle(len(part), func(a, b int) { part[a], part[b] = part[b], part[a] })
		}
		for _, p := range sent {
			e.receive(p, 0)
		}
		if e.o.Key() != 599 {
			t.Errorf("key %d", e.o.Key())
		}
	})
}

func TestPreviousKeyClosesAfterTheReorderWindow(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		const reorder, turn = 10 * time.Millisecond, time.Hour
		e := newSealedEnd(t, suite, Limits{}, Window{Reorder: reorder})
		late, later := e.send("late", 0), e.send("later", 0)
		if err := e.s.Rotate(); err != nil {
			t.Fatal(err)
		}
		first := e.send("first of key 1", 0)
		ancient := first
		e.receive(first, turn)
		e.receive(late, turn+reorder-1)
		e.refuse(later, turn+reorder, ErrOldKey)
		e.refuse(later, turn, ErrOldKey) // it does not come back

		// Two turns ahead is no key at all, and the session survives it.
		for range 2 {
			if err := e.s.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		third := e.send("of key 3", 0)
		e.refuse(third, turn, ErrOldKey)
		if err := e.o.Advance(e.s.Announce(Nonce{}), turn); err != nil {
			t.Fatal(err)
		}
		e.refuse(third, turn, ErrReplayed) // sealed before the announce
		e.receive(e.send("of key 3, after the announce", 0), turn)
		e.refuse(ancient, turn, ErrReplayed)
		if err := e.o.Advance(Announce{Key: 1, Packet: 1}, turn); err != nil || e.o.Key() != 3 {
			t.Errorf("an older announce turned back to key %d, %v", e.o.Key(), err)
		}
	})
}

func TestLateReceiverBeginsWithTheAnnouncedKey(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{Packets: 1}, Window{})
		for range 700 {
			e.send("missed", 0)
		}
		a := e.s.Announce(NewNonce())
		var err error
		if e.o, err = NewOpener(e.secret, a.Suite, sealedSession, a.Salt, Window{Key: a.Key, Packet: a.Packet}); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			e.receive(e.send("heard", 0), 0)
		}
	})
}

func TestNothingOpensThatWasSealedBeforeTheAnnounce(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		var capture []sealedPacket
		for range 100 {
			capture = append(capture, e.send("before", 0))
		}
		a := e.s.Announce(NewNonce())
		var err error
		if e.o, err = NewOpener(e.secret, a.Suite, sealedSession, a.Salt, Window{Key: a.Key, Packet: a.Packet}); err != nil {
			t.Fatal(err)
		}
		next := e.send("the first after it", 0)
		for _, p := range capture {
			e.refuse(p, 0, ErrReplayed)
		}
		e.receive(next, 0)
		e.refuse(next, 0, ErrReplayed)

		missed := e.send("missed", 0)
		later := e.s.Announce(NewNonce())
		for _, a := range []Announce{later, a} { // the older one takes nothing back
			if err := e.o.Advance(a, 0); err != nil {
				t.Fatal(err)
			}
			e.refuse(missed, 0, ErrReplayed)
		}
		e.receive(e.send("heard", 0), 0)
	})
}

func TestKeysOfEqualEpochAreNotMistaken(t *testing.T) {
	for _, missed := range []int{254, 255, 256, 257, 511} {
		e := newSealedEnd(t, BestSuite(), Limits{Packets: 1}, Window{Reorder: time.Hour})
		e.receive(e.send("under key 0", 0), 0)
		for range missed {
			e.send("missed", 0)
		}
		if err := e.o.Advance(e.s.Announce(Nonce{}), 0); err != nil {
			t.Fatal(err)
		}
		for range 5 { // among them the keys whose epochs are key 0's and key 1's
			e.receive(e.send("heard", 0), 0)
		}
	}
}

func TestSealStopsBeforeANumberRepeats(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		e.s.number = e.s.lastNumber - 2
		e.receive(e.send("the last but one", 0), 0)
		e.receive(e.send("the last", 0), 0)
		dst := make([]byte, 64)
		for range 3 {
			if n, err := e.s.Seal(dst, sealedHeader(byte(e.s.key.number)), []byte("one too many")); n != 0 || err != ErrKeysSpent {
				t.Fatal(n, err)
			}
			if err := e.s.Rotate(); err != nil { // no turn brings packet numbers back
				t.Fatal(err)
			}
			if n, err := e.s.Seal(dst, sealedHeader(byte(e.s.key.number)), nil); n != 0 || err != ErrKeysSpent {
				t.Fatal(n, err)
			}
		}

		e = newSealedEnd(t, suite, Limits{Packets: 1}, Window{})
		e.s.lastKey = 2
		for range 3 {
			e.receive(e.send("a key each", 0), 0)
		}
		if _, err := e.s.Next(0); err != ErrKeysSpent {
			t.Fatal(err)
		}
		if err := e.s.Rotate(); err != ErrKeysSpent || e.s.key.number != 2 {
			t.Fatal(err)
		}

		back, err := NewBackSealer(e.secret, suite, sealedSession, e.s.Salt(), NewReceiver())
		if err != nil {
			t.Fatal(err)
		}
		back.number = back.lastNumber - 1
		for _, want := range []error{nil, ErrKeysSpent, ErrKeysSpent} {
			if _, err := back.Seal(dst, sealedHeader(0), nil); err != want {
				t.Fatal(err)
			}
		}
	})
}

func TestKeySealsAtMostTwiceItsLimit(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		for _, l := range []Limits{{Packets: 5}, {Bytes: 20}} {
			e := newSealedEnd(t, suite, l, Window{})
			dst := make([]byte, 64)
			for i := range 12 {
				_, err := e.s.Seal(dst, sealedHeader(0), []byte("four"))
				if want := map[bool]error{true: ErrKeyDue}[i >= 10]; err != want {
					t.Fatal(i, err)
				}
			}
			if epoch, err := e.s.Next(0); epoch != 1 || err != nil {
				t.Fatal(epoch, err)
			}
			if _, err := e.s.Seal(dst, sealedHeader(0), nil); err != ErrOldKey {
				t.Errorf("a header of the old key: %v", err)
			}
			if _, err := e.s.Seal(dst, sealedHeader(1), nil); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestLimitsAreCheckedOnce(t *testing.T) {
	for name, l := range map[string]Limits{
		"too short": {Time: time.Millisecond - 1}, "negative": {Time: -1}, "too long": {Time: 25 * time.Hour},
		"packets": {Packets: 1<<23 + 1}, "bytes": {Bytes: 1<<37 + 1},
	} {
		if _, err := NewSealer(NewSecret(), AES128GCM, sealedSession, l); !errors.Is(err, ErrLimits) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l, err := (Limits{}).checked(AES128GCM); err != nil || l.Time != 2*time.Minute || l.Packets != 1<<22 {
		t.Error(l, err)
	}
	if c, err := (Limits{}).checked(ChaCha20Poly1305); err != nil || c.Packets <= 1<<22 {
		t.Error(c, err)
	}
	for _, w := range []Window{{Reorder: -1}, {Reorder: time.Hour + 1}} {
		if _, err := NewOpener(NewSecret(), AES128GCM, sealedSession, Salt{}, w); !errors.Is(err, ErrLimits) {
			t.Errorf("%v: %v", w, err)
		}
	}
	for _, suite := range []Suite{0, 3, 255} {
		_, err := NewSealer(NewSecret(), suite, sealedSession, Limits{})
		_, err2 := NewOpener(NewSecret(), suite, sealedSession, Salt{}, Window{})
		_, err3 := NewBackSealer(NewSecret(), suite, sealedSession, Salt{}, 1)
		_, err4 := NewBackOpener(NewSecret(), suite, sealedSession, Salt{}, 1)
		for _, err := range []error{err, err2, err3, err4} {
			if !errors.Is(err, ErrSuite) {
				t.Errorf("%v: %v", suite, err)
			}
		}
	}
	if _, err := NewSealer(Secret{}, AES128GCM, sealedSession, Limits{}); !errors.Is(err, ErrSecret) {
		t.Error(err)
	}
}
