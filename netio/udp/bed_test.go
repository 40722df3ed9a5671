package udp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// bed is a sender and a receiver with a publisher's ring at one end and readers of mirrors at the other, all run by the test.
type bed struct {
	t       testing.TB
	source  *ring.Ring
	pub     *ring.Writer
	send    *Sender
	recv    *Receiver
	mirrors []*ring.Reader
	rings   []*ring.Ring
	got     []message
	batch   [256]ring.Record
	now     time.Time // see pass
}

type message struct {
	epoch, seq, stamp uint64
	body              string
	trace             *seal.Trace // nil: none
}

var loopback = netip.MustParseAddr("127.0.0.1")

func anyPort() netip.AddrPort { return netip.AddrPortFrom(loopback, 0) }

// newBed connects both ends over loopback, or by way of via, which gets the receiver's address and returns where to send.
func newBed(t testing.TB, so SenderOptions, ro ReceiverOptions, via func(netip.AddrPort) netip.AddrPort) *bed {
	t.Helper()
	return newBedOf(t, ringOptions, so, ro, via)
}

// newBedOf is newBed with another ring.
func newBedOf(t testing.TB, source ring.Options, so SenderOptions, ro ReceiverOptions, via func(netip.AddrPort) netip.AddrPort) *bed {
	t.Helper()
	b := &bed{t: t}
	b.source = mustRing(t, source)
	pub, err := b.source.Writer()
	must(t, err)
	b.pub = pub
	b.listen(ro)
	so.Channel = "signals"
	for i := len(so.Lines); i < max(len(ro.Lines), 1); i++ {
		to := b.recv.Local(i)
		if via != nil {
			to = via(to)
		}
		so.Lines = append(so.Lines, Dial{To: to})
	}
	b.send, err = NewSender(so)
	must(t, err)
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	return b
}

// pass lets time go by at both ends, and only here: from now on they have no clock of their own, and a step takes a
// millisecond.
func (b *bed) pass(d time.Duration) {
	if b.now.IsZero() {
		b.now = time.Now()
	}
	b.now = b.now.Add(d)
	b.send.SetNow(b.now)
	b.recv.SetNow(b.now)
}

func (b *bed) listen(ro ReceiverOptions) {
	b.t.Helper()
	must(b.t, b.open(ro))
	b.t.Cleanup(func() {
		for _, m := range b.mirrors {
			must(b.t, ignoreClosed(m.Close()))
		}
		must(b.t, b.recv.Close())
	})
}

// open opens the receiver, and a reader of each of its mirrors.
func (b *bed) open(ro ReceiverOptions) (err error) {
	ro.Channel = "signals"
	if ro.Lines == nil {
		ro.Lines = []Listen{{Bind: anyPort()}}
	}
	ro.Inbox = netio.InboxOptions{Dir: ro.Inbox.Dir, Capacity: ro.Inbox.Capacity, Opened: func(r *ring.Ring) {
		o := ring.ReaderOptions{From: ring.Oldest}
		if ro.Inbox.Dir != "" { // goes on where a former life of it left off
			o.Name, o.Durable = "strategy", true
		}
		reader, err := r.Reader(o)
		must(b.t, err)
		b.mirrors, b.rings = append(b.mirrors, reader), append(b.rings, r)
	}}
	b.recv, err = NewReceiver(ro)
	return err
}

// hangUp closes the receiver and its mirrors' readers. With a directory for its inbox, listen goes on from there.
func (b *bed) hangUp() {
	b.t.Helper()
	for _, m := range b.mirrors {
		must(b.t, m.Close())
	}
	must(b.t, b.recv.Close())
	b.mirrors, b.rings = nil, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, ring.ErrClosed) {
		return nil
	}
	return err
}

// publish commits n messages of size bytes that carry their own number, and steps while the ring is full.
func (b *bed) publish(n, size int) {
	b.t.Helper()
	for range n {
		b.until("room in the ring", func() bool { return b.offer(size) })
	}
}

// offer commits one such message, or reports false when the ring is full.
func (b *bed) offer(size int) bool {
	b.t.Helper()
	p, err := b.pub.Claim(size)
	if errors.Is(err, ring.ErrFull) {
		return false
	}
	must(b.t, err)
	for i := range p {
		p[i] = byte(b.pub.Seq()) + byte(i)
	}
	binary.LittleEndian.PutUint64(p, b.pub.Seq())
	b.pub.SetStamp(b.pub.Seq() + 7)
	must(b.t, b.pub.Commit(size))
	return true
}

// step runs both ends once and polls the mirrors.
func (b *bed) step() {
	if !b.now.IsZero() {
		b.pass(time.Millisecond)
	}
	_, err := b.send.Do()
	must(b.t, err)
	_, err = b.recv.Do()
	must(b.t, err)
	b.poll()
}

func (b *bed) poll() {
	for _, m := range b.mirrors {
		for n := m.Peek(b.batch[:]); n > 0; n = m.Peek(b.batch[:]) {
			for i, r := range b.batch[:n] {
				b.got = append(b.got, message{m.Epoch(), m.First() + uint64(i), r.Stamp(), string(r.Payload()), nil})
			}
			if trace := m.Trace(); trace != nil {
				b.got[len(b.got)-n].trace = new(seal.Trace(*trace))
			}
			must(b.t, m.Release(n))
		}
		must(b.t, ignoreClosed(m.Err()))
	}
}

// until runs both ends until ok, or fails after a while.
func (b *bed) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		b.step()
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come about: %d messages, sender %+v, receiver %+v", what, len(b.got), b.send.Stats(), b.recv.Stats())
		}
	}
}

// verify checks that what was delivered is in order, once, whole and from first to last without a gap unless lossy.
func (b *bed) verify(first, last uint64, lossy bool) {
	b.t.Helper()
	next := first
	for _, m := range b.got {
		if m.seq != next && (!lossy || m.seq < next) {
			b.t.Fatalf("message %d where %d is due", m.seq, next)
		}
		body := []byte(m.body)
		if binary.LittleEndian.Uint64(body) != m.seq || m.stamp != m.seq+7 {
			b.t.Fatalf("message %d carries number %d and stamp %d", m.seq, binary.LittleEndian.Uint64(body), m.stamp)
		}
		for i := 8; i < len(body); i++ {
			if body[i] != byte(m.seq)+byte(i) {
				b.t.Fatalf("message %d is damaged at byte %d", m.seq, i)
			}
		}
		next = m.seq + 1
	}
	if !lossy && next != last+1 {
		b.t.Fatalf("%d messages, %d expected", next-first, last+1-first)
	}
}

func mustRing(t testing.TB, o ring.Options) *ring.Ring {
	t.Helper()
	r, err := ring.Create(o)
	must(t, err)
	t.Cleanup(func() { must(t, ignoreClosed(r.Close())) })
	return r
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}
