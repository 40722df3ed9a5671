package seal

import (
	"encoding/binary"
	"testing"
	"time"
)

// nonceBook remembers which nonce was used under which key.
type nonceBook map[string]bool

// note fails when the packet's key and nonce were used before. Key bytes come from the schedule, the nonce from what the
// cipher was called with.
func (b nonceBook) note(t *testing.T, s *schedule, x *scratch, number uint64) {
	t.Helper()
	key, err := s.bytes(number)
	if err != nil {
		t.Fatal(err)
	}
	use := string(key[:s.suite.keySize()]) + string(x.nonce[:])
	if b[use] {
		t.Fatalf("a nonce repeats under key %d", number)
	}
	b[use] = true
}

func TestNoNonceRepeatsUnderOneKey(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		secret, book := NewSecret(), nonceBook{}
		dst := make([]byte, 64)
		// Restarts of one sender, two at once, neighbours on other paths: all under one secret, all turning keys.
		for life := range 8 {
			var both []*Sealer
			for path := range uint8(2) {
				s := sealedSession
				s.Path = path % 2
				for range 2 {
					sealer, err := NewSealer(secret, suite, s, Limits{Packets: 7, Time: time.Hour})
					if err != nil {
						t.Fatal(err)
					}
					both = append(both, sealer)
				}
			}
			for range 40 {
				for _, sealer := range both {
					epoch, err := sealer.Next(0)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := sealer.Seal(dst, sealedHeader(epoch), []byte("body")); err != nil {
						t.Fatal(life, err)
					}
					book.note(t, sealer.schedule, &sealer.x, sealer.key.number)
				}
			}
			// Receivers answer the first of them, each with a number of its own.
			for range 3 {
				receiver := NewReceiver()
				back, err := NewBackSealer(secret, suite, sealedSession, both[0].Salt(), receiver)
				if err != nil {
					t.Fatal(err)
				}
				schedule, err := newSchedule(labelBack, secret, suite, sealedSession, both[0].Salt())
				if err != nil {
					t.Fatal(err)
				}
				for range 20 {
					if _, err := back.Seal(dst, sealedHeader(0), []byte("body")); err != nil {
						t.Fatal(err)
					}
					book.note(t, schedule, &back.x, receiver)
				}
			}
		}
	})
}

func TestPacketNumbersGoOnAcrossKeys(t *testing.T) {
	e := newSealedEnd(t, BestSuite(), Limits{Packets: 3}, Window{})
	for n := uint64(1); n < 100; n++ {
		if p := e.send("", 0); binary.LittleEndian.Uint64(p.sealed) != n {
			t.Fatalf("packet %d is numbered %d", n, binary.LittleEndian.Uint64(p.sealed))
		}
	}
}
