package bench

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/quic"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
)

// The quic lanes are the whole way: a publisher's ring, a Link, which runs by itself, the network, the far Link, the mirror, its reader. The
// threads that publish and read sleep while there is nothing for them to do: the library's goroutines need the processors.
const (
	quicThere = "there" // channels
	quicBack  = "back"

	quicNap  = 50 * time.Microsecond // while a ring is full
	quicWait = 5 * time.Millisecond  // for a mirror to have something, at most
)

// papers are the certificates of both sides of a lane.
type papers struct {
	Authority []byte     `json:"authority"`
	Near      trust.Pair `json:"near"`
	Far       trust.Pair `json:"far"`
}

func newPapers() (*papers, error) {
	until := time.Now().Add(24 * time.Hour)
	a, err := trust.NewAuthority("bench", until)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	near, err := a.Issue([]string{"near"}, trust.Life{Until: until})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	far, err := a.Issue([]string{"far"}, trust.Life{Until: until})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &papers{a.Cert, *near, *far}, nil
}

// config is one side's: both show a certificate.
func (p *papers) config(own *trust.Pair) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(own.Cert, own.Key)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.Authority)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{quic.Protocol}, Certificates: []tls.Certificate{pair},
		RootCAs: roots, ServerName: "far", ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
	}, nil
}

func openQUICNear(s laneSpec, mem sys.Mem, seed uint64) (near, error) {
	stream := s.Pattern == patternStream
	switch {
	case s.Kind == kindQUIC && stream:
		return newQUICSource(s, mem, seed)
	case s.Kind == kindQUIC:
		return &quicPing{quicEnd: quicEnd{spec: s, mem: mem}, msg: newPayload(seed, s.Size)}, nil
	case stream:
		return newQUICGoSource(s, mem, seed), nil
	}
	return &quicGoPing{quicGoEnd: quicGoEnd{spec: s, mem: mem}, msg: newPayload(seed, s.Size), got: make([]byte, s.Size)}, nil
}

func openQUICFar(s laneSpec, mem sys.Mem) (far, error) {
	stream := s.Pattern == patternStream
	switch {
	case s.Kind == kindQUIC && stream:
		return newQUICSink(s, mem)
	case s.Kind == kindQUIC:
		return newQUICPong(s, mem)
	case stream:
		return newQUICGoSink(s, mem)
	}
	return newQUICGoPong(s, mem)
}

// quicOptions is what both ends say of themselves. A lane that waits for its turn is silent for longer than a node would be.
func quicOptions(node, peer, sends, takes string, capacity int, opened func(*ring.Ring)) link.Options {
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

// quicOut is a publisher's ring.
type quicOut struct {
	ring   *ring.Ring
	writer *ring.Writer
}

func (o *quicOut) open(capacity int, channel string, add func(string, *ring.Ring) error) (err error) {
	if o.ring, err = ring.Create(ring.Options{Capacity: capacity}); err != nil {
		return err
	}
	if o.writer, err = o.ring.Writer(); err != nil {
		return err
	}
	return add(channel, o.ring)
}

func (o *quicOut) close() (err error) {
	if o.writer != nil {
		err = o.writer.Close()
	}
	if o.ring != nil {
		err = errors.Join(err, o.ring.Close())
	}
	return err
}

// quicIn is the reader of the mirror that a link fills. It is opened on a goroutine of the link's.
type quicIn struct {
	first  chan *ring.Reader
	reader *ring.Reader
	naps   bool // while there is nothing, and is not woken: a stream has more soon
}

func newQUICIn() quicIn { return quicIn{first: make(chan *ring.Reader, 1)} }

func (i *quicIn) opened(r *ring.Ring) {
	reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		panic(err) // a ring that was just made
	}
	i.first <- reader
}

// peek lends what there is, and waits for it for a while.
func (i *quicIn) peek(batch []ring.Record) (int, error) {
	if i.reader == nil {
		select {
		case i.reader = <-i.first:
		case <-time.After(quicWait):
			return 0, nil
		}
	}
	if n := i.reader.Peek(batch); n > 0 {
		return n, nil
	}
	if i.naps {
		return 0, quicPause()
	}
	if err := i.reader.Wait(quicWait); err != nil {
		return 0, err
	}
	return i.reader.Peek(batch), nil
}

func (i *quicIn) close() error {
	if i.reader == nil {
		select {
		case i.reader = <-i.first:
		default:
			return nil
		}
	}
	return i.reader.Close()
}

// quicEnd is a near side.
type quicEnd struct {
	spec laneSpec
	mem  sys.Mem
	link *quic.Link
	out  quicOut
}

func (e *quicEnd) connect(o link.Options, capacity int) error {
	to, err := peerAt(e.mem, udpFarPort, e.spec.Net.Far)
	if err != nil {
		return err
	}
	c, err := e.spec.Papers.config(&e.spec.Papers.Near)
	if err != nil {
		return err
	}
	if e.link, err = quic.Dial(quic.DialOptions{Common: quic.Common{Link: o, TLS: c}, To: to}); err != nil {
		return err
	}
	return e.out.open(capacity, quicThere, e.link.Add)
}

// meet waits until the channel flows.
func (e *quicEnd) meet(s *slice) error {
	for !e.link.Flows(quicThere) {
		if err := s.look(); err != nil {
			return err
		}
		time.Sleep(quicNap)
	}
	return nil
}

func (e *quicEnd) close() (err error) {
	if e.link != nil {
		err = e.link.Close()
	}
	return errors.Join(err, e.out.close())
}

func listenQUIC(s laneSpec, mem sys.Mem, o link.Options) (*quic.Listener, error) {
	c, err := s.Papers.config(&s.Papers.Far)
	if err != nil {
		return nil, err
	}
	l, err := quic.Listen(quic.ListenOptions{Common: quic.Common{Link: o, TLS: c}, Bind: s.Net.Far.any(), Nodes: []string{"near"}})
	if err == nil {
		tellPort(mem, udpFarPort, l.Local())
	}
	return l, err
}

// quicPing is the near side of the ping-pong.
type quicPing struct {
	quicEnd
	in  quicIn
	msg []byte
	seq uint64
}

func (l *quicPing) dial() error {
	l.in = newQUICIn()
	return l.connect(quicOptions("near", "far", quicThere, quicBack, pingCapacity, l.in.opened), pingCapacity)
}

func (l *quicPing) run(s *slice) error {
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
		for n := 0; n == 0; {
			if n, err = l.in.peek(batch[:]); err == nil && n == 0 {
				err = s.look()
			}
			if err != nil {
				return err
			}
		}
		got := batch[0].Payload()
		number, last := binary.LittleEndian.Uint64(got), got[len(got)-1]
		t1 := s.clock.now()
		if number != l.seq || last != l.msg[len(l.msg)-1] {
			return ErrCorrupt
		}
		if err := l.in.reader.Release(1); err != nil {
			return err
		}
		more = s.lap(t0, t1)
	}
	return nil
}

func (l *quicPing) close() error { return errors.Join(l.quicEnd.close(), l.in.close()) }

// quicPong is the far side of the ping-pong: it copies each payload from the mirror into the ring that leads back.
type quicPong struct {
	listener *quic.Listener
	in       quicIn
	out      quicOut
	size     int
	seen     uint64 // number of the last message
}

func newQUICPong(s laneSpec, mem sys.Mem) (l *quicPong, err error) {
	l = &quicPong{size: s.Size, in: newQUICIn()}
	if l.listener, err = listenQUIC(s, mem, quicOptions("far", "", quicBack, quicThere, pingCapacity, l.in.opened)); err != nil {
		return nil, err
	}
	if err := l.out.open(pingCapacity, quicBack, l.listener.Add); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *quicPong) serve(t *turn) error {
	var batch [1]ring.Record
	for {
		n, err := l.in.peek(batch[:])
		if err != nil {
			return err
		}
		if n == 0 {
			if t.over() {
				return nil
			}
			continue
		}
		got := batch[0].Payload()
		number, seq := binary.LittleEndian.Uint64(got), batch[0].Seq32()
		buf, err := l.out.writer.Claim(l.size)
		if err != nil {
			return err
		}
		move(buf, got)
		if err := l.out.writer.Commit(l.size); err != nil {
			return err
		}
		if err := l.in.reader.Release(1); err != nil {
			return err
		}
		if uint64(seq) != number&math.MaxUint32 || len(got) != l.size {
			t.bad++
		}
		l.seen = t.follows(number, l.seen)
	}
}

func (l *quicPong) close() error {
	return errors.Join(l.listener.Close(), l.in.close(), l.out.close())
}

// quicSource is the near side of a stream: it publishes a round, batch after batch.
type quicSource struct {
	flow
	quicEnd
	msg []byte
}

func newQUICSource(s laneSpec, mem sys.Mem, seed uint64) (*quicSource, error) {
	f := newFlow(mem, s)
	if s.Batch < 1 || f.round%s.Batch != 0 {
		return nil, fmt.Errorf("bench: rounds of %d messages do not hold batches of %d", f.round, s.Batch)
	}
	return &quicSource{flow: f, quicEnd: quicEnd{spec: s, mem: mem}, msg: newPayload(seed, s.Size)}, nil
}

func (l *quicSource) dial() error {
	return l.connect(quicOptions("near", "far", quicThere, "", 0, nil), streamCapacity)
}

func (l *quicSource) run(s *slice) error {
	if l.next == 1 {
		if err := l.meet(s); err != nil {
			return err
		}
	}
	if err := l.flow.run(s, l.send, quicPause); err != nil {
		return err
	}
	return awaitSeen(s, &l.flow)
}

// quicPause waits while there is no room.
func quicPause() error {
	time.Sleep(quicNap)
	return nil
}

// awaitSeen waits until the far side has seen all.
func awaitSeen(s *slice, f *flow) error {
	for f.mem.Load64(udpSeen) < f.next {
		if err := s.look(); err != nil {
			return err
		}
		time.Sleep(quicNap)
	}
	return nil
}

// send publishes n messages.
func (l *quicSource) send(s *slice, n int) error {
	for next, end := l.next, l.next+uint64(n); next < end; {
		b, err := l.out.writer.ClaimBatch(len(l.msg), min(l.spec.Batch, int(end-next)))
		if errors.Is(err, ring.ErrFull) {
			if err := errors.Join(quicPause(), s.look()); err != nil {
				return err
			}
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
	return nil
}

// close is quicEnd's: flow has nothing to close.
func (l *quicSource) close() error { return l.quicEnd.close() }

// quicSink is the far side of a stream: it reads the mirror, checks every number, which each message carries twice, as the ring's and in
// itself, and copies every payload out.
type quicSink struct {
	mirrorLedger
	listener *quic.Listener
	in       quicIn
}

func newQUICSink(s laneSpec, mem sys.Mem) (l *quicSink, err error) {
	l = &quicSink{mirrorLedger: newMirrorLedger(mem, s.Size), in: newQUICIn()}
	l.in.naps = true
	l.listener, err = listenQUIC(s, mem, quicOptions("far", "", "", quicThere, streamCapacity, l.in.opened))
	return l, err
}

func (l *quicSink) serve(t *turn) error {
	for {
		n, err := l.in.peek(l.batch[:])
		if err != nil {
			return err
		}
		if n == 0 {
			if l.over(t) {
				return nil
			}
			continue
		}
		l.take(t, l.batch[:n])
		if err := l.in.reader.Release(n); err != nil {
			return err
		}
	}
}

func (l *quicSink) close() error { return errors.Join(l.listener.Close(), l.in.close()) }
