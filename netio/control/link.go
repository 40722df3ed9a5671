package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/seal"
)

// errClosing is what the peer of a link is told that was closed here.
var errClosing = errors.New("the node closes the link")

// Link is what two nodes have for each other as long as both live, whatever becomes of their connections. Its methods may be called from
// several goroutines. The zero Link is not valid: use Dial, or a Listener's Links.
type Link struct {
	o      *Options
	peer   string
	cancel context.CancelFunc // of a link that was dialled
	done   sync.WaitGroup
	entry  chan struct{} // holds one token: one connection takes its place at a time

	mu   sync.Mutex
	live *session // nil: not connected
	last *session // what was agreed last; nil: nothing yet
	root root
	seen uint64    // generation of the identity by which the peer was believed last
	left time.Time // when it was connected last

	connects, attempts, beats atomic.Uint64
}

// Stats is how a link stands.
type Stats struct {
	Peer      string
	Connected bool
	Connects  uint64 // connections that came about
	Attempts  uint64 // and that were tried from here
	Beats     uint64 // heard
	Offset    Offset // zero while nothing is known
}

func newLink(o *Options, peer string) *Link {
	l := &Link{o: o, peer: peer, entry: make(chan struct{}, 1), cancel: func() {}}
	l.entry <- struct{}{}
	return l
}

// Peer is the other node's name.
func (l *Link) Peer() string { return l.peer }

// Stats returns how things stand.
func (l *Link) Stats() Stats {
	s := Stats{Peer: l.peer, Connects: l.connects.Load(), Attempts: l.attempts.Load(), Beats: l.beats.Load()}
	s.Offset, _ = l.Offset()
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Connected = l.live != nil
	return s
}

// Format keeps secrets out of what is printed, whatever the verb.
func (l *Link) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "control link of node %q to node %q", l.o.Node, l.peer)
}

// Connected reports whether the peer is there.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live != nil
}

// Offset tells how far the peer's clock is ahead. ok is false while nothing is known: not connected, or no beat was answered yet.
func (l *Link) Offset() (o Offset, ok bool) {
	l.mu.Lock()
	s := l.live
	l.mu.Unlock()
	if s == nil {
		return Offset{}, false
	}
	return s.offset()
}

// Channels lists the channels of both nodes of which both mean the same, as it was agreed last.
func (l *Link) Channels() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubt()
	if l.last == nil {
		return nil
	}
	return l.last.channels()
}

// Secret is what both nodes have for a channel in one direction: what is Out here is In there. It stays while both nodes live; Connected
// says when it is Fresh. It answers ErrSecret while there is none, or when the channel was not agreed on.
func (l *Link) Secret(channel string, d Direction) (seal.Secret, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubt()
	if l.root == (root{}) || l.last == nil {
		return seal.Secret{}, fmt.Errorf("%w: channel %q: node %q has not been connected to", ErrSecret, channel, l.peer)
	}
	if !l.last.agreed[channel] {
		return seal.Secret{}, fmt.Errorf("%w: channel %q: it is not agreed on with node %q", ErrSecret, channel, l.peer)
	}
	from := l.o.Node
	if d == In {
		from = l.peer
	}
	return l.root.channel(from, channel)
}

// Update replaces what this node means by its channels: the nodes greet each other again over a new connection. Secrets stay, and so does all
// that the link's secrets carry. It answers ErrOptions, and then nothing changes. A Listener updates its own links.
func (l *Link) Update(contracts []link.Contract) error {
	if err := l.o.update("", contracts); err != nil {
		return err
	}
	l.greetAgain()
	return nil
}

func (l *Link) greetAgain() {
	l.mu.Lock()
	s := l.live
	l.mu.Unlock()
	if s != nil {
		s.end(ErrUpdated)
	}
}

// doubt drops the secrets of a peer that is not believed any more, when there is no connection that would end for it. l is locked.
func (l *Link) doubt() {
	now := l.o.Identity.Generation()
	if l.live != nil || l.last == nil || l.seen == now {
		return
	}
	l.seen = now
	if l.o.Identity.Verify(&l.last.cs, l.last.began) != nil {
		l.root, l.last = root{}, nil
	}
}

// forget drops the secrets of a peer that is not believed any more.
func (l *Link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.root, l.last = root{}, nil
}

// carry takes a greeted connection to its end and says why it ended. An older connection is replaced: the peer would not have come again
// if it still had that one. settled is called once it stands, or does not; stood says which.
func (l *Link) carry(ctx context.Context, s *session, settled func()) (stood bool, err error) {
	s.link = l
	refused, fresh, err := l.settle(ctx, s)
	settled()
	if err != nil {
		return false, errors.Join(err, ignoreClosed(s.conn.NetConn().Close()))
	}
	defer close(s.over)
	abort := context.AfterFunc(ctx, func() { s.end(errClosing) })
	defer abort()
	for _, e := range refused {
		l.o.tell(e)
	}
	l.connects.Add(1)
	l.o.tell(Event{Kind: Connected, Peer: l.peer, Fresh: fresh})
	if l.o.Groups != nil {
		l.o.Groups.join(s)
	}
	err = s.run()
	if l.o.Groups != nil {
		l.o.Groups.leave(s)
	}
	l.mu.Lock()
	l.live, l.left = nil, time.Now()
	l.mu.Unlock()
	l.o.tell(Event{Kind: Disconnected, Peer: l.peer, Err: err})
	return true, err
}

// settle gives a connection its place, and the nodes their secrets.
func (l *Link) settle(ctx context.Context, s *session) (refused []Event, fresh bool, err error) {
	within, cancel := context.WithDeadline(ctx, s.began.Add(l.o.Handshake))
	defer cancel()
	select {
	case <-l.entry:
		defer func() { l.entry <- struct{}{} }()
	case <-within.Done():
		return nil, false, within.Err()
	}
	l.mu.Lock()
	old, mine := l.live, l.root
	l.mu.Unlock()
	if old != nil && old.peer.Start > s.peer.Start {
		return nil, false, fmt.Errorf("%w: an earlier life of node %q than the one that is connected: two processes have its name", ErrPeer, l.peer)
	}
	if old != nil {
		old.end(ErrReplaced)
		<-old.over
	}
	abort := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer abort()
	r, fresh, err := s.agreeOnRoot(mine)
	if err != nil {
		return nil, false, err
	}
	refused = s.compare()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live, l.last, l.root = s, s, r
	if s.outdated() { // whoever changed them found nothing that was live
		s.end(ErrUpdated)
	}
	return refused, fresh, nil
}
