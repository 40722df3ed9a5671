package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// The tcp lanes are the whole way: a publisher's ring, a Link that the publisher's own thread runs, the kernel, a Listener that the
// subscriber's thread runs, the mirror, its reader. One thread per side does it all.
const (
	tcpThere = "there" // channels
	tcpBack  = "back"
)

func openTCPNear(s laneSpec, mem sys.Mem, seed uint64) (near, error) {
	stream := s.Pattern == patternStream
	switch {
	case s.Kind == kindTCP && stream:
		return newTCPSource(s, mem, seed)
	case s.Kind == kindTCP:
		return newTCPPing(s, mem, seed), nil
	case s.Kind == kindTCPRaw && stream:
		return newTCPRawSource(s, mem, seed), nil
	case s.Kind == kindTCPRaw:
		return &tcpRawPing{tcpRawEnd: newTCPRawEnd(s), mem: mem, msg: newPayload(seed, s.Size)}, nil
	case stream:
		return newTCPNetSource(s, mem, seed), nil
	}
	return &tcpNetPing{spec: s, mem: mem, msg: newPayload(seed, s.Size), got: make([]byte, s.Size)}, nil
}

func openTCPFar(s laneSpec, mem sys.Mem) (far, error) {
	stream := s.Pattern == patternStream
	switch {
	case s.Kind == kindTCP && stream:
		return newTCPSink(s, mem)
	case s.Kind == kindTCP:
		return newTCPPong(s, mem)
	case s.Kind == kindTCPRaw:
		l, err := listenRaw(s, mem)
		if err != nil {
			return nil, err
		}
		if stream {
			return &tcpRawSink{ledger: newLedger(mem), tcpRawEnd: newTCPRawEnd(s), listener: l, buf: make([]byte, tcpRoom)}, nil
		}
		return &tcpRawPong{tcpRawEnd: newTCPRawEnd(s), listener: l}, nil
	}
	l, err := listenNet(s, mem)
	if err != nil {
		return nil, err
	}
	if stream {
		return &tcpNetSink{spec: s, ledger: newLedger(mem), listener: l, size: s.Size, record: tcpNetRecord(s)}, nil
	}
	return &tcpNetPong{spec: s, listener: l, msg: make([]byte, s.Size)}, nil
}

// tcpOptions is what both ends say of themselves. A lane that waits for its turn is silent for longer than a node would be.
func tcpOptions(node, peer, sends, takes string, capacity int, opened func(*ring.Ring)) link.Options {
	o := link.Options{Node: node, Peer: peer, Heartbeat: time.Second, Liveness: time.Minute}
	if sends != "" {
		o.Channels = append(o.Channels, link.Channel{Contract: link.Contract{Name: sends, Sends: true, Largest: maxSize}})
	}
	if takes != "" {
		o.Channels = append(o.Channels, link.Channel{Contract: link.Contract{Name: takes, Takes: true, Largest: maxSize},
			Inbox: netio.InboxOptions{Capacity: capacity, Opened: opened}})
	}
	return o
}

// tcpOut is a publisher's ring.
type tcpOut struct {
	ring   *ring.Ring
	writer *ring.Writer
}

func openTCPOut(capacity int, channel string, to interface {
	Add(string, *ring.Ring) error
}) (o tcpOut, err error) {
	if o.ring, err = ring.Create(ring.Options{Capacity: capacity}); err != nil {
		return o, err
	}
	if o.writer, err = o.ring.Writer(); err == nil {
		err = to.Add(channel, o.ring)
	}
	if err != nil {
		return o, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *tcpOut) close() (err error) {
	if o.writer != nil {
		err = o.writer.Close()
	}
	if o.ring != nil {
		err = errors.Join(err, o.ring.Close())
	}
	return err
}

// tcpIn is the reader of the mirror that a link fills.
type tcpIn struct {
	reader *ring.Reader // nil until the far end has said what it sends
	err    error
}

func (i *tcpIn) opened(r *ring.Ring) {
	i.reader, i.err = r.Reader(ring.ReaderOptions{From: ring.Oldest})
}

func (i *tcpIn) close() error {
	if i.reader == nil {
		return nil
	}
	return i.reader.Close()
}

func dialTCP(s laneSpec, mem sys.Mem, o link.Options) (l *tcp.Link, err error) {
	to, err := peerAt(mem, udpFarPort, s.Net.Far)
	if err != nil {
		return nil, err
	}
	d := tcp.DialOptions{To: to, Link: o}
	if s.Papers != nil {
		if d.TLS, err = s.Papers.config(&s.Papers.Near); err != nil {
			return nil, err
		}
	}
	return tcp.Dial(d)
}

func listenTCP(s laneSpec, mem sys.Mem, o link.Options) (l *tcp.Listener, err error) {
	lo := tcp.ListenOptions{Bind: s.Net.Far.any(), Nodes: []string{"near"}, Link: o}
	if s.Papers != nil {
		if lo.TLS, err = s.Papers.config(&s.Papers.Far); err != nil {
			return nil, err
		}
	}
	err = s.Net.Far.in(func() (err error) {
		l, err = tcp.Listen(lo)
		return err
	})
	if err == nil {
		tellPort(mem, udpFarPort, l.Local())
	}
	return l, err
}

// tcpPing is the near side of the ping-pong.
type tcpPing struct {
	spec laneSpec
	mem  sys.Mem
	link *tcp.Link
	tcpIn
	out tcpOut
	msg []byte
	seq uint64
}

func newTCPPing(s laneSpec, mem sys.Mem, seed uint64) *tcpPing {
	return &tcpPing{spec: s, mem: mem, msg: newPayload(seed, s.Size)}
}

func (l *tcpPing) dial() (err error) {
	if l.link, err = dialTCP(l.spec, l.mem, tcpOptions("near", "far", tcpThere, tcpBack, pingCapacity, l.opened)); err != nil {
		return err
	}
	l.out, err = openTCPOut(pingCapacity, tcpThere, l.link)
	return err
}

// meet connects, where this side is.
func (l *tcpPing) meet(s *slice) error {
	return l.spec.Net.Near.in(func() error {
		for !l.link.Flows(tcpBack) {
			_, err := l.link.Do()
			if err = errors.Join(err, s.look()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *tcpPing) run(s *slice) error {
	defer l.out.writer.Abort()
	if l.seq == 0 {
		if err := l.meet(s); err != nil {
			return err
		}
	}
	var batch [1]ring.Record
	for more := true; more; {
		buf, err := l.out.writer.Claim(len(l.msg))
		if err != nil {
			return err
		}
		t0 := s.clock.now()
		l.seq++
		move(buf, l.msg)
		binary.LittleEndian.PutUint64(buf, l.seq)
		if err := l.out.writer.Commit(len(l.msg)); err != nil {
			return err
		}
		for idle := 1; ; idle++ {
			n, err := l.link.Do()
			if err != nil {
				return err
			}
			if n > 0 && l.reader != nil && l.reader.Peek(batch[:]) > 0 {
				break
			}
			if idle%tendEvery == 0 {
				if err := errors.Join(l.err, s.look()); err != nil {
					return err
				}
			}
		}
		got := batch[0].Payload()
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		if err := l.reader.Release(1); err != nil {
			return err
		}
		more = s.lap(t0, t1)
	}
	return nil
}

func (l *tcpPing) close() (err error) {
	if l.link != nil {
		err = l.link.Close()
	}
	return errors.Join(err, l.tcpIn.close(), l.out.close())
}

// tcpPong is the far side of the ping-pong: it copies each payload from the mirror into the ring that leads back.
type tcpPong struct {
	spec     laneSpec
	listener *tcp.Listener
	tcpIn
	out  tcpOut
	size int
	seen uint64 // number of the last message
}

func newTCPPong(s laneSpec, mem sys.Mem) (l *tcpPong, err error) {
	l = &tcpPong{spec: s, size: s.Size}
	if l.listener, err = listenTCP(s, mem, tcpOptions("far", "", tcpBack, tcpThere, pingCapacity, l.opened)); err != nil {
		return nil, err
	}
	if l.out, err = openTCPOut(pingCapacity, tcpBack, l.listener); err != nil {
		return nil, errors.Join(err, l.listener.Close())
	}
	return l, nil
}

func (l *tcpPong) serve(t *turn) error {
	var batch [1]ring.Record
	defer l.out.writer.Abort()
	for came := 0; ; { // messages that came while the answer before was leaving
		buf, err := l.out.writer.Claim(l.size)
		if err != nil {
			return err
		}
		for idle := 1; ; idle++ {
			n, err := l.listener.Do()
			if err != nil {
				return err
			}
			if n += came; n > 0 && l.reader != nil && l.reader.Peek(batch[:]) > 0 {
				break
			}
			if idle%tendEvery == 0 && t.over() {
				return l.err
			}
		}
		got := batch[0].Payload()
		number, seq := binary.LittleEndian.Uint64(got), batch[0].Seq32()
		move(buf, got)
		if err := l.out.writer.Commit(l.size); err != nil {
			return err
		}
		if came, err = l.listener.Do(); err != nil {
			return err
		}
		if came--; came < 0 { // the answer itself
			came = 0
		}
		if err := l.reader.Release(1); err != nil {
			return err
		}
		if uint64(seq) != number&math.MaxUint32 || len(got) != l.size {
			t.bad++
		}
		l.seen = t.follows(number, l.seen)
	}
}

func (l *tcpPong) close() error {
	return errors.Join(l.listener.Close(), l.tcpIn.close(), l.out.close())
}

// tcpSource is the near side of a stream: it publishes a round, batch after batch, and has its link carry it.
type tcpSource struct {
	flow
	spec laneSpec
	link *tcp.Link
	out  tcpOut
	msg  []byte
	met  bool
}

func newTCPSource(s laneSpec, mem sys.Mem, seed uint64) (*tcpSource, error) {
	f := newFlow(mem, s)
	if s.Batch < 1 || f.round%s.Batch != 0 {
		return nil, fmt.Errorf("bench: rounds of %d messages do not hold batches of %d", f.round, s.Batch)
	}
	return &tcpSource{flow: f, spec: s, msg: newPayload(seed, s.Size)}, nil
}

func (l *tcpSource) dial() (err error) {
	if l.link, err = dialTCP(l.spec, l.mem, tcpOptions("near", "far", tcpThere, "", 0, nil)); err != nil {
		return err
	}
	l.out, err = openTCPOut(streamCapacity, tcpThere, l.link)
	return err
}

func (l *tcpSource) run(s *slice) error {
	if !l.met { // it connects where this side is
		err := l.spec.Net.Near.in(func() error {
			for !l.link.Flows(tcpThere) {
				if err := errors.Join(l.tend(), s.look()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		l.met = true
	}
	if err := l.flow.run(s, l.send, l.tend); err != nil {
		return err
	}
	for l.mem.Load64(udpSeen) < l.next {
		if err := errors.Join(l.tend(), s.look()); err != nil {
			return err
		}
	}
	return nil
}

func (l *tcpSource) tend() error {
	_, err := l.link.Do()
	return err
}

// send publishes n messages and has them carried.
func (l *tcpSource) send(s *slice, n int) error {
	carried := 0
	for next, end := l.next, l.next+uint64(n); next < end; {
		b, err := l.out.writer.ClaimBatch(len(l.msg), min(l.spec.Batch, int(end-next)))
		if errors.Is(err, ring.ErrFull) {
			k, err := l.link.Do()
			if err = errors.Join(err, s.look()); err != nil {
				return err
			}
			carried += k
			continue
		}
		if err != nil {
			return err
		}
		k := b.Len()
		for i := range k {
			buf := b.At(i)
			move(buf, l.msg)
			binary.LittleEndian.PutUint64(buf, next)
			next++
		}
		if err := l.out.writer.CommitBatch(k); err != nil {
			return err
		}
	}
	for carried < n {
		k, err := l.link.Do()
		if err != nil {
			return err
		}
		if carried += k; k == 0 {
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *tcpSource) close() (err error) {
	if l.link != nil {
		err = l.link.Close()
	}
	return errors.Join(err, l.out.close())
}

// tcpSink is the far side of a stream: it runs the listener, reads the mirror, checks every number, which each message carries twice, as
// the ring's and in itself, and copies every payload out.
type tcpSink struct {
	spec laneSpec
	mirrorLedger
	listener *tcp.Listener
	tcpIn
}

func newTCPSink(s laneSpec, mem sys.Mem) (l *tcpSink, err error) {
	l = &tcpSink{spec: s, mirrorLedger: newMirrorLedger(mem, s.Size)}
	if l.listener, err = listenTCP(s, mem, tcpOptions("far", "", "", tcpThere, streamCapacity, l.opened)); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *tcpSink) serve(t *turn) error {
	for idle := 1; ; idle++ {
		n, err := l.listener.Do()
		if err != nil {
			return err
		}
		if n == 0 {
			if idle%tendEvery == 0 && l.over(t) {
				return l.err
			}
			continue
		}
		idle = 0
		for n := l.reader.Peek(l.batch[:]); n > 0; n = l.reader.Peek(l.batch[:]) {
			l.take(t, l.batch[:n])
			if err := l.reader.Release(n); err != nil {
				return err
			}
		}
	}
}

func (l *tcpSink) close() error { return errors.Join(l.listener.Close(), l.tcpIn.close()) }
