package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio/link"
)

const maxTold = 64 // reasons that are remembered

// Listener takes links from nodes that dial. Its methods may be called from several goroutines. The zero Listener is not valid: use
// Listen.
type Listener struct {
	o      *Options
	socket net.Listener
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup
	slots  chan struct{} // one token a handshake under way

	mu    sync.Mutex
	links map[string]*Link
	told  map[string]time.Time // when a reason was told last

	accepted, crowded, failed atomic.Uint64
}

// ListenerStats is what a listener has done.
type ListenerStats struct {
	Accepted uint64 // connections of any kind
	Crowded  uint64 // closed at once: too many handshakes were under way
	Failed   uint64 // handshakes that came to nothing; those of TLS are counted by reason in the identity
	Peers    int    // remembered
}

// Listen takes links at an address.
func Listen(o Options, addr string) (*Listener, error) {
	c, err := o.checked()
	if err != nil {
		return nil, err
	}
	socket, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("control: node %q: %w", c.Node, err)
	}
	return listen(c, socket), nil
}

func listen(o *Options, socket net.Listener) *Listener {
	n := &Listener{o: o, socket: socket, slots: make(chan struct{}, maxHandshakes), links: map[string]*Link{}, told: map[string]time.Time{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.done.Go(n.accept)
	return n
}

// Addr is the address it listens at.
func (n *Listener) Addr() net.Addr { return n.socket.Addr() }

// Links returns the links of all peers that it remembers, connected or not, by name.
func (n *Listener) Links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*Link, 0, len(n.links))
	for _, l := range n.links {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *Link) int { return strings.Compare(a.peer, b.peer) })
	return all
}

// Link returns the link of a peer, nil when it has not come yet.
func (n *Listener) Link(peer string) *Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[peer]
}

// Update replaces what this node means by its channels, as Link.Update does, for all peers.
func (n *Listener) Update(contracts []link.Contract) error {
	if err := n.o.update("", contracts); err != nil {
		return err
	}
	for _, l := range n.Links() {
		l.greetAgain()
	}
	return nil
}

// UpdateFor replaces what this node means by its channels when it speaks to one peer, whatever it means to others. From the first call on a peer
// is greeted once it has said who it is.
func (n *Listener) UpdateFor(peer string, contracts []link.Contract) error {
	if peer == "" || peer == n.o.Node {
		return fmt.Errorf("%w: node %q: contracts for %q: another node's name", ErrOptions, n.o.Node, peer)
	}
	if err := n.o.update(peer, contracts); err != nil {
		return err
	}
	if l := n.Link(peer); l != nil {
		l.greetAgain()
	}
	return nil
}

// Stats returns how things stand.
func (n *Listener) Stats() ListenerStats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return ListenerStats{Accepted: n.accepted.Load(), Crowded: n.crowded.Load(), Failed: n.failed.Load(), Peers: len(n.links)}
}

// Close ends all links and waits until nothing of them is left.
func (n *Listener) Close() error {
	n.cancel()
	err := ignoreClosed(n.socket.Close())
	n.done.Wait()
	return err
}

// accept takes connections until Close. What the system refuses, descriptors for instance, is told and tried again.
func (n *Listener) accept() {
	for {
		raw, err := n.socket.Accept()
		switch {
		case n.ctx.Err() != nil:
			if err == nil {
				_ = raw.Close()
			}
			return
		case err != nil:
			n.trouble(err, "at "+n.socket.Addr().String())
			wait := time.NewTimer(firstWait)
			select {
			case <-wait.C:
			case <-n.ctx.Done():
				wait.Stop()
			}
			continue
		}
		n.accepted.Add(1)
		select {
		case n.slots <- struct{}{}:
			n.done.Go(func() { n.take(raw) })
		default:
			n.crowded.Add(1)
			_ = raw.Close()
		}
	}
}

// take carries one connection to its end.
func (n *Listener) take(raw net.Conn) {
	var once sync.Once
	settled := func() { once.Do(func() { <-n.slots }) }
	defer settled()
	began := time.Now()
	within, cancel := context.WithDeadline(n.ctx, began.Add(n.o.Handshake))
	defer cancel()
	s, err := shake(within, n.o, raw, false, "", began)
	if err == nil {
		var l *Link
		if l, err = n.linkOf(s.peer.Node); err == nil {
			var stood bool
			if stood, err = l.carry(n.ctx, s, settled); stood {
				return
			}
		} else {
			err = errors.Join(err, ignoreClosed(raw.Close()))
		}
	}
	if n.ctx.Err() == nil {
		n.failed.Add(1)
		n.trouble(err, "from "+raw.RemoteAddr().String())
	}
}

// trouble tells a reason at most once a second: strangers choose how often they come.
func (n *Listener) trouble(err error, where string) {
	n.mu.Lock()
	again := n.told[cause(err)]
	tell := time.Since(again) >= time.Second
	if tell {
		if len(n.told) >= maxTold {
			clear(n.told)
		}
		n.told[cause(err)] = time.Now()
	}
	n.mu.Unlock()
	if tell {
		n.o.tell(Event{Kind: Trouble, Err: fmt.Errorf("control: %s: %w", where, err)})
	}
}

// linkOf finds or makes a peer's link. When there is no room the one that left first is forgotten, with its secrets.
func (n *Listener) linkOf(peer string) (*Link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[peer]; l != nil {
		return l, nil
	}
	if len(n.links) >= n.o.Peers && !n.makeRoom() {
		return nil, fmt.Errorf("%w: %d", ErrCrowded, len(n.links))
	}
	l := newLink(n.o, peer)
	n.links[peer] = l
	return l, nil
}

func (n *Listener) makeRoom() bool {
	var first *Link
	var left time.Time
	for _, l := range n.links {
		l.mu.Lock()
		if l.live == nil && !l.left.IsZero() && (first == nil || l.left.Before(left)) {
			first, left = l, l.left
		}
		l.mu.Unlock()
	}
	if first == nil {
		return false
	}
	delete(n.links, first.peer)
	return true
}
