package control

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/seal"
)

const (
	waiting  = 2 * link.MaxChannels   // messages for a peer; more than a key and a turn for each channel
	farewell = 100 * time.Millisecond // for saying why the link is closed
)

// session is one connection of a Link.
type session struct {
	o       *Options
	conn    *tls.Conn
	in      *bufio.Reader
	cs      tls.ConnectionState
	began   time.Time
	dialled bool
	mine    link.Greeting // as it was said
	peer    link.Greeting
	agreed  map[string]bool   // channels of both, of which both mean the same
	held    map[string]uint64 // reader only: the last secret of each group
	link    *Link
	over    chan struct{} // closed when nothing more is told of it

	out  chan message
	stop chan struct{} // closed by end
	once sync.Once
	why  error // set before stop is closed

	mu      sync.Mutex
	offsets offsets
}

// shake goes from a connection to a greeted peer, within Options.Handshake of began.
func shake(ctx context.Context, o *Options, raw net.Conn, dialled bool, expect string, began time.Time) (s *session, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(raw.Close()))
		}
	}()
	if err := raw.SetDeadline(began.Add(o.Handshake)); err != nil {
		return nil, err
	}
	abort := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads or writes
	defer abort()
	s = &session{o: o, began: began, dialled: dialled, agreed: map[string]bool{}, held: map[string]uint64{}, out: make(chan message, waiting), stop: make(chan struct{}), over: make(chan struct{})}
	if dialled {
		config, err := o.Identity.Client(Protocol)
		if err != nil {
			return nil, err
		}
		s.conn = tls.Client(raw, config)
	} else {
		s.conn = tls.Server(raw, o.Identity.Server(Protocol))
	}
	if err := s.conn.HandshakeContext(ctx); err != nil {
		return nil, o.Identity.Refused(err)
	}
	s.cs, s.in = s.conn.ConnectionState(), bufio.NewReader(s.conn)
	if err := s.greet(expect); err != nil {
		return nil, err
	}
	return s, nil
}

// greet exchanges greetings. Who dials speaks at once, and does not wait with reading until it has spoken. So does who listens, unless what
// it says depends on who it is that dialled. The dialling side learns here whether it was believed.
func (s *session) greet(expect string) (err error) {
	if !s.dialled && s.o.meant.differs() {
		if s.peer, err = s.hearGreeting(); err != nil {
			return err
		}
		if err := s.vouched(expect); err != nil {
			return err
		}
		return s.sayGreeting(s.peer.Node)
	}
	said := make(chan error, 1)
	go func() { said <- s.sayGreeting(expect) }()
	s.peer, err = s.hearGreeting()
	if err != nil {
		_ = s.conn.NetConn().Close() // wakes the writer
		<-said
		return err
	}
	if err := <-said; err != nil {
		return err
	}
	return s.vouched(expect)
}

// vouched says why the peer is not who it says it is, or not who was dialled.
func (s *session) vouched(expect string) error {
	leaf := s.cs.PeerCertificates[0]
	switch {
	case !trust.Vouches(leaf, s.peer.Node):
		return fmt.Errorf("%w: it says it is %q, and its certificate is that of %q: issue it with that name", ErrPeer, s.peer.Node, trust.Names(leaf))
	case expect != "" && s.peer.Node != expect:
		return fmt.Errorf("%w: %q was dialled, and %q answers: look at the address", ErrPeer, expect, s.peer.Node)
	case s.peer.Node == s.o.Node:
		return fmt.Errorf("%w: %q is this node's own name: two have it, or it dialled itself", ErrPeer, s.peer.Node)
	}
	return nil
}

func (s *session) sayGreeting(peer string) error {
	s.mine = s.o.greeting(peer)
	b, err := link.AppendGreeting(nil, s.mine)
	if err != nil {
		return err
	}
	if _, err := s.conn.Write(b); err != nil {
		return s.o.Identity.Refused(err)
	}
	return nil
}

func (s *session) hearGreeting() (g link.Greeting, err error) {
	b := make([]byte, link.GreetingHead)
	if _, err := io.ReadFull(s.in, b); err != nil {
		return g, s.o.Identity.Refused(err)
	}
	if _, _, err := link.ParseGreeting(b); err != nil {
		return g, err
	}
	b = append(b, make([]byte, binary.LittleEndian.Uint32(b[12:]))...) // ParseGreeting has looked at the size
	if _, err := io.ReadFull(s.in, b[link.GreetingHead:]); err != nil {
		return g, s.o.Identity.Refused(err)
	}
	g, _, err = link.ParseGreeting(b)
	return g, err
}

// agreeOnRoot says which root this side holds for the peer, and hears the other. The same at both ends: it stays.
func (s *session) agreeOnRoot(mine root) (r root, fresh bool, err error) {
	if _, err := s.conn.Write((&message{kind: rootKind, root: mine.id}).append(nil)); err != nil {
		return r, false, s.o.Identity.Refused(err)
	}
	m, err := readMessage(s.in)
	switch {
	case errors.Is(err, ErrMessage):
		return r, false, err
	case err != nil:
		return r, false, s.o.Identity.Refused(err)
	}
	if m.kind != rootKind {
		return r, false, fmt.Errorf("%w: a message of kind %d before the root", ErrMessage, m.kind)
	}
	if m.root == mine.id && mine != (root{}) {
		return mine, false, nil
	}
	dialled, accepted := s.o.Node, s.peer.Node
	if !s.dialled {
		dialled, accepted = accepted, dialled
	}
	r, err = exportRoot(&s.cs, dialled, accepted)
	return r, true, err
}

// compare holds every channel of both against the other's contract.
func (s *session) compare() (refused []Event) {
	for _, mine := range s.mine.Channels {
		theirs, ok := s.peer.Contract(mine.Name)
		if !ok {
			continue
		}
		if fields := link.Compare(mine, theirs); len(fields) > 0 {
			refused = append(refused, Event{Kind: Refused, Peer: s.peer.Node, Channel: mine.Name, Fields: fields})
			continue
		}
		s.agreed[mine.Name] = true
	}
	return refused
}

// outdated reports whether the peer was told what this node does not mean any more.
func (s *session) outdated() bool {
	return !reflect.DeepEqual(s.mine.Channels, s.o.greeting(s.peer.Node).Channels)
}

// end closes the session, for a reason that is told. Only the first counts.
func (s *session) end(why error) {
	s.once.Do(func() {
		s.why = why
		close(s.stop)
	})
}

// send queues a message, or ends the session when too many wait. It never blocks.
func (s *session) send(m message) {
	select {
	case s.out <- m:
	default:
		s.end(ErrSlow)
	}
}

// run carries messages until the session ends, and says why it did. The caller's goroutine reads.
func (s *session) run() error {
	var writing sync.WaitGroup
	writing.Go(func() {
		s.write()
		_ = s.conn.NetConn().Close() // wakes the reader
	})
	s.end(silent(s.read()))
	_ = s.conn.NetConn().SetWriteDeadline(time.Now().Add(farewell)) // wakes a writer that nobody reads
	writing.Wait()
	return s.why
}

// read hears what comes. Each message has Liveness to arrive whole, so neither silence nor dribbling keeps a link up.
func (s *session) read() error {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(s.o.Liveness)); err != nil {
			return err
		}
		m, err := readMessage(s.in)
		if err != nil {
			return err
		}
		if err := s.heard(&m); err != nil {
			return err
		}
	}
}

func (s *session) heard(m *message) error {
	switch m.kind {
	case beatKind:
		clock, now := s.o.Clock(), time.Now()
		s.mu.Lock()
		s.offsets.hear(m.beat, clock, now)
		s.mu.Unlock()
		s.link.beats.Add(1)
	case keyKind:
		return s.given(m)
	case tookKind:
		if s.o.Groups != nil {
			s.o.Groups.took(s, m.channel, m.number)
		}
	case turnedKind:
		if m.number == 0 || s.held[m.channel] != m.number {
			return fmt.Errorf("%w: the group of channel %q turned to secret %d, which was not given", ErrMessage, m.channel, m.number)
		}
		s.o.tell(Event{Kind: Turned, Peer: s.peer.Node, Channel: m.channel, Number: m.number})
	case endKind:
		return fmt.Errorf("%w: %.256q", ErrEnded, m.reason)
	default:
		return fmt.Errorf("%w: a message of kind %d after the root", ErrMessage, m.kind)
	}
	return nil
}

// given takes a group's secret, and says so once it can be used.
func (s *session) given(m *message) error {
	if c, ok := s.mine.Contract(m.channel); !ok || !c.Takes || !s.agreed[m.channel] || m.number <= s.held[m.channel] {
		return fmt.Errorf("%w: secret %d of channel %q, of which it has none to give", ErrMessage, m.number, m.channel)
	}
	s.held[m.channel] = m.number
	s.o.tell(Event{Kind: Key, Peer: s.peer.Node, Channel: m.channel, Number: m.number, Secret: seal.SecretOf(m.secret)})
	s.send(message{kind: tookKind, number: m.number, channel: m.channel})
	return nil
}

// write beats, and sends what waits. When the files of the identity changed, the peer must still be believed.
func (s *session) write() {
	tick := time.NewTicker(s.o.Heartbeat)
	defer tick.Stop()
	seen := s.o.Identity.Generation()
	buf := make([]byte, 0, messageHead+MaxMessage)
	say := func(m *message) bool {
		_ = s.conn.SetWriteDeadline(time.Now().Add(s.o.Liveness))
		buf = m.append(buf[:0])
		if _, err := s.conn.Write(buf); err != nil {
			s.end(silent(err))
			return false
		}
		return true
	}
	for ok := s.beat(say); ok; {
		select {
		case <-s.stop:
			s.farewell()
			return
		case m := <-s.out:
			ok = say(&m)
		case <-tick.C:
			if now := s.o.Identity.Generation(); now != seen {
				seen = now
				if err := s.o.Identity.Verify(&s.cs, s.began); err != nil {
					s.link.forget()
					s.end(err)
					continue
				}
			}
			ok = s.beat(say)
		}
	}
}

func (s *session) beat(say func(*message) bool) bool {
	clock, now := s.o.Clock(), time.Now()
	s.mu.Lock()
	b := s.offsets.say(clock, now)
	s.mu.Unlock()
	return say(&message{kind: beatKind, beat: b})
}

// farewell tells the peer why, if it listens.
func (s *session) farewell() {
	if errors.Is(s.why, ErrEnded) || errors.Is(s.why, ErrSilent) || errors.Is(s.why, io.EOF) {
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(farewell))
	_, _ = s.conn.Write((&message{kind: endKind, reason: s.why.Error()}).append(nil))
}

func (s *session) offset() (Offset, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offsets.best(time.Now())
}

// channels lists what both mean the same by.
func (s *session) channels() (all []string) {
	for name := range s.agreed {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
