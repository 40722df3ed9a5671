package seal

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strconv"
	"testing"
	"time"
)

var suites = []Suite{ChaCha20Poly1305, AES128GCM}

// sealedSession is whom the tests speak for.
var sealedSession = Session{Channel: 0x811c9dc5, Source: 7, Epoch: 1_700_000_000, Path: 2}

// eachSuite runs f for both suites.
func eachSuite(t *testing.T, f func(t *testing.T, suite Suite)) {
	t.Helper()
	for _, suite := range suites {
		t.Run(suite.String(), func(t *testing.T) { f(t, suite) })
	}
}

// sealedEnd is both ends of one session.
type sealedEnd struct {
	*testing.T
	secret Secret
	s      *Sealer
	o      *Opener
}

func newSealedEnd(t *testing.T, suite Suite, l Limits, w Window) *sealedEnd {
	t.Helper()
	e := &sealedEnd{T: t, secret: NewSecret()}
	var err error
	if e.s, err = NewSealer(e.secret, suite, sealedSession, l); err != nil {
		t.Fatal(err)
	}
	if e.o, err = NewOpener(e.secret, suite, sealedSession, e.s.Salt(), w); err != nil {
		t.Fatal(err)
	}
	return e
}

// sealedPacket is one envelope as it travels.
type sealedPacket struct{ header, sealed, body []byte }

func (p sealedPacket) epoch() uint8 { return p.header[keyEpochAt] }

// sealedHeader is a header with this key epoch and otherwise anything.
func sealedHeader(epoch uint8) []byte {
	h := make([]byte, HeaderSize)
	for i := range h {
		h[i] = byte(0xa0 + i)
	}
	h[keyEpochAt] = epoch
	return h
}

// send seals body at this instant.
func (e *sealedEnd) send(body string, now time.Duration) sealedPacket {
	e.Helper()
	epoch, err := e.s.Next(now)
	if err != nil {
		e.Fatal(err)
	}
	p := sealedPacket{sealedHeader(epoch), make([]byte, len(body)+Overhead), []byte(body)}
	n, err := e.s.Seal(p.sealed, p.header, p.body)
	if err != nil || n != len(p.sealed) {
		e.Fatal(n, err)
	}
	return p
}

func (e *sealedEnd) open(p sealedPacket, now time.Duration) ([]byte, error) {
	dst := make([]byte, len(p.sealed))
	n, err := e.o.Open(dst, p.header, p.sealed, p.epoch(), now)
	return dst[:n], err
}

// receive opens what must open.
func (e *sealedEnd) receive(p sealedPacket, now time.Duration) {
	e.Helper()
	if b, err := e.open(p, now); err != nil || !bytes.Equal(b, p.body) {
		e.Fatalf("%q, %v; want %q", b, err, p.body)
	}
}

// refuse tries what must not open.
func (e *sealedEnd) refuse(p sealedPacket, now time.Duration, want error) {
	e.Helper()
	if b, err := e.open(p, now); !errors.Is(err, want) || len(b) > 0 {
		e.Fatalf("%d bytes, %v; want %v", len(b), err, want)
	}
}

// scaled divides a full count as the scripts ask.
func scaled(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(1, full/scale)
}

func TestWhatWasSealedOpensInAnyOrder(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		big := string(bytes.Repeat([]byte("x"), 65_475-Overhead))
		var sent []sealedPacket
		for _, body := range []string{"", "a", "hello", "sixteen bytes !!", "and seventeen now", big} {
			sent = append(sent, e.send(body, 0))
		}
		for _, i := range []int{3, 0, 5, 1, 4, 2} {
			e.receive(sent[i], 0)
		}
		if bytes.Contains(sent[2].sealed, []byte("hello")) {
			t.Error("the body travels in clear")
		}
	})
}

func TestSealingAndOpeningInPlaceIsTheSame(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		// One datagram: header, then the body where its ciphertext will be.
		body := []byte("a body that is sealed where it lies")
		datagram := make([]byte, HeaderSize+len(body)+Overhead)
		header, sealed := datagram[:HeaderSize], datagram[HeaderSize:]
		copy(header, sealedHeader(0))
		inner := sealed[numberSize : numberSize+len(body)]
		copy(inner, body)
		if n, err := e.s.Seal(sealed, header, inner); err != nil || n != len(sealed) {
			t.Fatal(n, err)
		}
		apart, err := newSealer(e.secret, suite, sealedSession, e.s.Salt(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		twin := make([]byte, len(sealed))
		if _, err := apart.Seal(twin, header, body); err != nil || !bytes.Equal(twin, sealed) {
			t.Fatalf("in place %x, apart %x, %v", sealed, twin, err)
		}
		n, err := e.o.Open(inner, header, sealed, 0, 0)
		if err != nil || !bytes.Equal(inner[:n], body) {
			t.Fatalf("%q, %v", inner[:n], err)
		}
	})
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		p := e.send("one bit decides", 0)
		for i := range 8 * HeaderSize {
			forged := sealedPacket{bytes.Clone(p.header), p.sealed, p.body}
			forged.header[i/8] ^= 1 << (i % 8)
			want := ErrForged
			if i/8 == keyEpochAt && i%8 > 0 {
				want = ErrOldKey // 1 is the next key, all others are none
			}
			e.refuse(forged, 0, want)
		}
		for i := range 8 * len(p.sealed) {
			forged := sealedPacket{p.header, bytes.Clone(p.sealed), p.body}
			forged.sealed[i/8] ^= 1 << (i % 8)
			want := ErrForged
			if forged.sealed[0] == 0 && i < 64 {
				want = ErrReplayed // packet number 0 is nobody's
			}
			e.refuse(forged, 0, want)
		}
		e.receive(p, 0)
	})
}

func TestCutAndGrownPacketsAreRefused(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		p := e.send("all or nothing", 0)
		for n := range len(p.sealed) {
			want := ErrForged
			if n < Overhead {
				want = ErrShort
			}
			e.refuse(sealedPacket{p.header, p.sealed[:n], nil}, 0, want)
		}
		e.refuse(sealedPacket{p.header, append(bytes.Clone(p.sealed), 0), nil}, 0, ErrForged)
		dst := make([]byte, len(p.body))
		for n := range HeaderSize {
			if _, err := e.o.Open(dst, p.header[:n], p.sealed, 0, 0); err != ErrShort {
				t.Fatalf("header of %d bytes: %v", n, err)
			}
		}
		if _, err := e.o.Open(dst[1:], p.header, p.sealed, 0, 0); err != io.ErrShortBuffer {
			t.Fatal(err)
		}
		for _, n := range []int{0, numberSize, len(p.sealed) - 1} {
			if _, err := e.s.Seal(make([]byte, n), p.header, p.body); err != io.ErrShortBuffer {
				t.Fatal(n, err)
			}
		}
		if _, err := e.s.Seal(make([]byte, len(p.sealed)), p.header[1:], p.body); err != io.ErrShortBuffer {
			t.Fatal(err)
		}
		e.receive(p, 0)
	})
}

func TestNoOtherSessionOpensIt(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		p := e.send("for one session only", 0)
		salt := e.s.Salt()
		other, path, epoch, source, channel := salt, sealedSession, sealedSession, sealedSession, sealedSession
		other[15]++
		path.Path++
		epoch.Epoch--
		source.Source++
		channel.Channel++
		for name, c := range map[string]struct {
			secret Secret
			suite  Suite
			s      Session
			salt   Salt
		}{
			"secret":  {NewSecret(), suite, sealedSession, salt},
			"suite":   {e.secret, ChaCha20Poly1305 + AES128GCM - suite, sealedSession, salt},
			"channel": {e.secret, suite, channel, salt},
			"source":  {e.secret, suite, source, salt},
			"epoch":   {e.secret, suite, epoch, salt},
			"path":    {e.secret, suite, path, salt},
			"salt":    {e.secret, suite, sealedSession, other},
		} {
			o, err := NewOpener(c.secret, c.suite, c.s, c.salt, Window{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.Open(make([]byte, 64), p.header, p.sealed, p.epoch(), 0); err != ErrForged {
				t.Errorf("another %s: %v", name, err)
			}
		}
		back, err := NewBackOpener(e.secret, suite, sealedSession, salt, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := back.Open(make([]byte, 64), p.header, p.sealed); err != ErrForged {
			t.Errorf("the back direction: %v", err)
		}
		e.receive(p, 0)
	})
}

func TestReplayedCaptureOpensNothing(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{Packets: 50}, Window{Reorder: time.Second})
		var capture []sealedPacket
		for range 300 {
			capture = append(capture, e.send("once", 0))
		}
		for _, p := range capture {
			e.receive(p, 0)
		}
		for _, now := range []time.Duration{0, time.Hour} {
			for _, p := range capture {
				e.refuse(p, now, ErrReplayed)
			}
		}
		e.receive(e.send("and life goes on", 0), time.Hour)
		// The next life of the sender has a salt of its own.
		next, err := NewSealer(e.secret, suite, sealedSession, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if e.o, err = NewOpener(e.secret, suite, sealedSession, next.Salt(), Window{}); err != nil {
			t.Fatal(err)
		}
		for _, p := range capture {
			if _, err := e.open(p, 0); err != ErrForged && err != ErrOldKey {
				t.Fatalf("a capture of the former life: %v", err)
			}
		}
	})
}

func TestPacketsOpenUpToTheEdgeOfTheWindow(t *testing.T) {
	e := newSealedEnd(t, AES128GCM, Limits{}, Window{})
	var sent []sealedPacket
	for range ReplayWindow + 2 {
		sent = append(sent, e.send("?", 0))
	}
	e.receive(sent[ReplayWindow], 0) // packet number ReplayWindow+1
	e.refuse(sent[0], 0, ErrReplayed)
	e.receive(sent[1], 0)
	e.refuse(sent[1], 0, ErrReplayed)
	e.receive(sent[ReplayWindow+1], 0)
	e.refuse(sent[1], 0, ErrReplayed)
	e.receive(sent[2], 0)
}

func TestForgeriesLeaveTheSessionAlive(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		p, q := e.send("before", 0), e.send("after", 0)
		e.receive(p, 0)
		window, header, garbage := e.o.window, sealedHeader(0), make([]byte, 64)
		for i := range uint64(scaled(100_000)) {
			// New, far, huge and next-key numbers: none may move the window or turn the key.
			number := []uint64{3 + i, 1 << 40, math.MaxUint64, 2}[i%4]
			for b := range numberSize {
				garbage[b] = byte(number >> (8 * b))
			}
			header[keyEpochAt] = byte(i / 4 % 2)
			if _, err := e.o.Open(garbage[numberSize:], header, garbage, header[keyEpochAt], 0); err != ErrForged {
				t.Fatalf("forgery %d: %v", i, err)
			}
		}
		if e.o.window != window || e.o.Key() != 0 {
			t.Fatal("forgeries moved the window or the key")
		}
		e.receive(q, 0)
		if err := e.s.Rotate(); err != nil {
			t.Fatal(err)
		}
		e.receive(e.send("under the next key", 0), 0)
	})
}

func TestForgedKeyEpochsDeriveOneKeyAtMost(t *testing.T) {
	e := newSealedEnd(t, BestSuite(), Limits{}, Window{})
	p := e.send("forged", 0)
	header := sealedHeader(1)
	forge := func() {
		if _, err := e.o.Open(p.body, header, p.sealed, 1, 0); err != ErrForged {
			t.Fatal(err)
		}
	}
	forge()
	after := e.o.after
	forge()
	if after == nil || e.o.after != after || e.o.after.forged != 2 {
		t.Error("the next key was derived again")
	}
}

func TestKeyOpensNothingPastItsForgeryLimit(t *testing.T) {
	e := newSealedEnd(t, BestSuite(), Limits{}, Window{})
	e.o.forgeryLimit = 3
	p := e.send("authentic and too late", 0)
	bad := sealedPacket{p.header, bytes.Clone(p.sealed), nil}
	bad.sealed[len(bad.sealed)-1] ^= 1
	for range 3 {
		e.refuse(bad, 0, ErrForged)
	}
	e.refuse(p, 0, ErrOldKey)
	if err := e.s.Rotate(); err != nil {
		t.Fatal(err)
	}
	e.receive(e.send("the next key counts anew", 0), 0)
}

func TestSealAndOpenAllocateNothing(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		e := newSealedEnd(t, suite, Limits{}, Window{})
		receiver := NewReceiver()
		back, err := NewBackSealer(e.secret, suite, sealedSession, e.s.Salt(), receiver)
		if err != nil {
			t.Fatal(err)
		}
		backOpener, err := NewBackOpener(e.secret, suite, sealedSession, e.s.Salt(), receiver)
		if err != nil {
			t.Fatal(err)
		}
		header, body := sealedHeader(0), make([]byte, 1200)
		sealed, forged := make([]byte, len(body)+Overhead), make([]byte, len(body)+Overhead)
		forged[3] = 1
		for name, f := range map[string]func() error{
			"Next": func() error { _, err := e.s.Next(0); return err },
			"Seal and Open": func() error {
				_, err := e.s.Seal(sealed, header, body)
				_, err2 := e.o.Open(body, header, sealed, 0, 0)
				return errors.Join(err, err2)
			},
			"back": func() error {
				_, err := back.Seal(sealed, header, body)
				_, err2 := backOpener.Open(body, header, sealed)
				return errors.Join(err, err2)
			},
			"in place": func() error {
				_, err := e.s.Seal(sealed, header, sealed[numberSize:numberSize+len(body)])
				_, err2 := e.o.Open(sealed[numberSize:], header, sealed, 0, 0)
				return errors.Join(err, err2)
			},
			"a forgery": func() error {
				if _, err := e.o.Open(body, header, forged, 0, 0); err != ErrForged {
					return errors.New("opened")
				}
				return nil
			},
		} {
			if n := testing.AllocsPerRun(100, func() {
				if err := f(); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}
