package quic

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/netio/link"
)

// session is one connection of a link.
type session struct {
	link  *Link
	conn  *quic.Conn
	start uint64 // of the other node's life; 0: not known, and never compared
	ctx   context.Context
	over  context.CancelCauseFunc
	group sync.WaitGroup // lanes

	met    atomic.Bool // the other node greeted, on any stream
	proven atomic.Bool // the handshake is over, and the other node is who it should be
	ready  chan struct{}

	mu     sync.Mutex
	lanes  map[uint32]*lane // with a stream
	told   bool             // connected was
	closed bool             // no lane begins any more
	done   chan struct{}    // all its goroutines are
}

func newSession(l *Link, c *quic.Conn, start uint64) *session {
	s := &session{link: l, conn: c, start: start, lanes: map[uint32]*lane{}, ready: make(chan struct{}), done: make(chan struct{})}
	s.ctx, s.over = context.WithCancelCause(l.ctx)
	context.AfterFunc(c.Context(), func() { s.over(context.Cause(c.Context())) })
	select {
	case <-c.HandshakeComplete():
		s.proven.Store(l.dial == nil) // whose certificate was looked at before
	default:
	}
	return s
}

// end ends the session, for the reason that is given first. nil: it has one.
func (s *session) end(why error) {
	if why == nil {
		return
	}
	s.over(why)
	code, text := said(context.Cause(s.ctx))
	_ = s.conn.CloseWithError(code, text) // what is closed stays closed
}

// cause says why the session ended.
func (s *session) cause() error { return explain(context.Cause(s.ctx)) }

// run serves the connection until it ends, and says why it did. The session is the link's.
func (s *session) run(serve func()) error {
	defer close(s.done)
	missing := time.AfterFunc(s.link.options.Link.Patience, s.missing)
	defer missing.Stop()
	s.group.Go(func() { s.end(s.gather()) })
	s.group.Go(s.prove)
	serve()
	<-s.ctx.Done()
	s.end(context.Cause(s.ctx))
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.group.Wait()
	return s.cause()
}

// prove waits for the end of the handshake.
func (s *session) prove() {
	select {
	case <-s.conn.HandshakeComplete():
		if d := s.link.dial; d != nil {
			if err := d.vouched(s.conn, s.link.node); err != nil {
				s.end(err)
				return
			}
		}
		if s.conn.ConnectionState().Used0RTT {
			s.link.tally.early.Add(1)
		}
		s.proven.Store(true)
		close(s.ready)
		if s.met.Load() {
			s.connected()
		}
	case <-s.ctx.Done():
	}
}

// greeted is told of each lane that the other node greeted on.
func (s *session) greeted() {
	s.met.Store(true)
	if s.proven.Load() {
		s.connected()
	}
}

func (s *session) connected() {
	s.mu.Lock()
	told := s.told
	s.told = true
	s.mu.Unlock()
	if !told {
		s.link.connected()
	}
}

// carry carries a lane over a stream until the session ends. A channel has one stream on a connection.
func (s *session) carry(n *lane, st *quic.Stream, read []byte) error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil
	case s.lanes[n.id] != nil:
		s.mu.Unlock()
		return fmt.Errorf("%w: a second stream for channel %q", link.ErrProtocol, n.channel.Name)
	}
	s.lanes[n.id] = n
	s.group.Add(1)
	s.mu.Unlock()
	defer s.group.Done()
	n.carry(s, st, read)
	return nil
}

// lane returns the one that a stream was made for.
func (s *session) lane(id uint32) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[id]
}

// missing tells of channels that the other node made no stream for.
func (s *session) missing() {
	for _, n := range s.link.lanes {
		if s.met.Load() && s.lane(n.id) == nil && s.ctx.Err() == nil {
			s.link.hear(link.Event{Kind: link.Refused, Channel: n.channel.Name,
				Err: fmt.Errorf("%w: %q has no channel %q", link.ErrContract, s.link.node, n.channel.Name)})
		}
	}
}

// take makes s the link's session. One that stands is ended before, unless it is of a later life of the other node.
func (l *Link) take(s *session) error {
	for {
		l.mu.Lock()
		old := l.session
		switch {
		case l.closed:
			l.mu.Unlock()
			return errClosing
		case old == nil:
			l.session = s
			l.mu.Unlock()
			return nil
		case s.start < old.start && old.proven.Load() && old.ctx.Err() == nil:
			l.mu.Unlock()
			return errOlder
		}
		l.mu.Unlock()
		select { // before that it may be a recording, which must not end anything
		case <-s.conn.HandshakeComplete():
			s.proven.Store(true)
		case <-old.done:
		case <-s.ctx.Done():
			return s.cause()
		}
		old.end(errReplaced)
		select {
		case <-old.done:
		case <-s.ctx.Done():
			return s.cause()
		}
		l.mu.Lock()
		if l.session == old {
			l.session = nil
		}
		l.mu.Unlock()
	}
}

// leave ends being the link's session.
func (l *Link) leave(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == s {
		l.session = nil
	}
}
