package link

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// scaled divides a count by PULSE_SCALE, but leaves enough of it to say something.
func scaled(n int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, min(n, 4))
	}
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// line is one direction of a connection: bytes that were written and did not arrive yet.
type line struct {
	bytes []byte
	sent  int // of all connections
}

// bed is two peers and what lies between them, with a clock of its own.
type bed struct {
	t      testing.TB
	rand   *rand.Rand
	now    time.Duration
	a, b   *Peer
	ab, ba line // under way
	inA    []byte
	inB    []byte
	up     bool
	cutAt  int // byte of a to b at which the connection is cut; 0: never
	room   int // bytes that a line holds
	events []Event
	errs   []error
	whole  bool // bytes are not split at random
}

func newBed(t testing.TB, seed uint64, a, b Options) *bed {
	t.Helper()
	d := &bed{t: t, rand: rand.New(rand.NewPCG(seed, 1)), room: 1 << 18}
	a.Events = func(e Event) { d.events = append(d.events, e) }
	b.Events = a.Events
	var err error
	d.a, err = NewPeer(a)
	must(t, err)
	d.b, err = NewPeer(b)
	must(t, err)
	t.Cleanup(func() { must(t, d.a.Close()); must(t, d.b.Close()) })
	return d
}

// connect begins a connection.
func (d *bed) connect() {
	d.cut(nil)
	d.a.Open(d.now)
	d.b.Open(d.now)
	d.up = true
}

// cut ends the connection where it is: what is under way is lost.
func (d *bed) cut(err error) {
	if !d.up {
		return
	}
	d.up = false
	d.a.Shut(err)
	d.b.Shut(err)
	d.ab.bytes, d.ba.bytes, d.inA, d.inB = nil, nil, nil, nil
}

// step lets both sides do something once, and time pass.
func (d *bed) step() {
	d.now += time.Duration(d.rand.Int64N(int64(100 * time.Microsecond)))
	d.side(d.a, &d.ab, &d.ba, &d.inA)
	d.side(d.b, &d.ba, &d.ab, &d.inB)
}

func (d *bed) side(p *Peer, out, in *line, held *[]byte) {
	pieces, err := p.Fill(d.now)
	if err != nil {
		d.errs = append(d.errs, err)
		d.cut(err)
		return
	}
	n := 0
	for _, piece := range pieces {
		k := min(len(piece), d.room-len(out.bytes))
		if !d.whole && d.rand.IntN(8) == 0 {
			k = d.rand.IntN(k + 1)
		}
		out.bytes = append(out.bytes, piece[:k]...)
		n += k
		if k < len(piece) {
			break
		}
	}
	out.sent += n
	if n > 0 {
		p.Sent(n)
	}
	if d.cutAt > 0 && d.ab.sent >= d.cutAt && out == &d.ab && d.up { // everything up to that byte arrives, and nothing after it
		keep := len(d.ab.bytes) - (d.ab.sent - d.cutAt)
		d.inB = append(d.inB, d.ab.bytes[:max(keep, 0)]...)
		_, _, _ = d.b.Take(d.now, d.inB)
		d.cutAt = 0
		d.cut(fmt.Errorf("cut"))
		return
	}
	if !d.up {
		return
	}
	k := len(in.bytes)
	if !d.whole {
		k = d.rand.IntN(k + 1)
	}
	*held = append(*held, in.bytes[:k]...)
	in.bytes = in.bytes[k:]
	taken, _, err := p.Take(d.now, *held)
	*held = (*held)[taken:]
	if err != nil {
		d.errs = append(d.errs, err)
		d.cut(err)
	}
}

// until steps until ok, for as long as a minute of the bed's clock.
func (d *bed) until(what string, ok func() bool) {
	d.t.Helper()
	for end := d.now + time.Minute; !ok(); {
		if d.step(); d.now > end {
			d.t.Fatalf("not within a minute: %s; %v\n%s", what, d.errs, d.dump())
		}
	}
}

// source is a ring that a test publishes in.
type source struct {
	t      testing.TB
	ring   *ring.Ring
	writer *ring.Writer
	next   uint64
}

func newSource(t testing.TB, o ring.Options) *source {
	t.Helper()
	r, err := ring.Open(o)
	if o.Path == "" {
		r, err = ring.Create(o)
	}
	must(t, err)
	w, err := r.Writer()
	must(t, err)
	t.Cleanup(func() { _ = w.Close(); must(t, r.Close()) })
	return &source{t: t, ring: r, writer: w, next: w.Seq()}
}

// publish publishes one message of size bytes that carries its number, and reports false when the ring is full.
func (s *source) publish(size int) bool {
	b, err := s.writer.Claim(size)
	if err == ring.ErrFull {
		return false
	}
	must(s.t, err)
	fillMessage(b, s.next)
	must(s.t, s.writer.Commit(size))
	s.next++
	return true
}

func fillMessage(b []byte, number uint64) {
	binary.LittleEndian.PutUint64(b, number)
	for i := 8; i < len(b); i++ {
		b[i] = byte(number) + byte(i)
	}
}

// sink reads what a bed's node has of one source, and checks that it is each number once, in order.
type sink struct {
	t      testing.TB
	reader *ring.Reader
	next   uint64
	got    int
	lost   uint64
}

// sinks opens one for each mirror that an inbox opens.
type sinks struct {
	t    testing.TB
	mode ring.Mode
	all  map[uint64]*sink
}

func (s *sinks) inbox(o netio.InboxOptions) netio.InboxOptions {
	o.Opened = func(r *ring.Ring) {
		old := s.all[r.Info().Instance]
		from := ring.Oldest
		if old != nil { // the node's next life: the mirror goes on
			from = ring.Now
		}
		reader, err := r.Reader(ring.ReaderOptions{From: from, Mode: s.mode})
		if err != nil {
			panic(err)
		}
		s.t.Cleanup(func() { _ = reader.Close() })
		if old != nil {
			old.reader, old.lost = reader, 0
			return
		}
		s.all[r.Info().Instance] = &sink{t: s.t, reader: reader}
	}
	return o
}

func (s *sink) drain(most int) {
	s.t.Helper()
	batch := make([]ring.Record, 16)
	for most > 0 {
		n := s.reader.Peek(batch[:min(most, len(batch))])
		if n == 0 {
			must(s.t, s.reader.Err())
			return
		}
		first := s.reader.First()
		for i, r := range batch[:n] {
			b := r.Payload()
			number := binary.LittleEndian.Uint64(b)
			if number != first+uint64(i) || number < s.next || s.next != 0 && number != s.next && s.reader.Lost() == s.lost {
				s.t.Fatalf("message %d with number %d where %d is due, %d lost", number, first+uint64(i), s.next, s.reader.Lost())
			}
			for k := 8; k < len(b); k++ {
				if b[k] != byte(number)+byte(k) {
					s.t.Fatalf("message %d was changed", number)
				}
			}
			s.next = number + 1
			s.lost = s.reader.Lost()
			s.got++
		}
		must(s.t, s.reader.Release(n))
		most -= n
	}
}

func (d *bed) count(kind EventKind) (n int) {
	for _, e := range d.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
