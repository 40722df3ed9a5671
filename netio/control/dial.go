package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Dial keeps a link to the node of this name at an address. It returns at once; Events tell what becomes of it. One of two nodes dials,
// the other listens.
func Dial(o Options, peer, addr string) (*Link, error) {
	c, err := o.checked()
	if err != nil {
		return nil, err
	}
	if _, _, err := net.SplitHostPort(addr); err != nil || peer == "" || peer == c.Node {
		return nil, fmt.Errorf("%w: dial node %q at %q: another node's name, and HOST:PORT", ErrOptions, peer, addr)
	}
	l := newLink(c, peer)
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() { l.keep(ctx, addr) })
	return l, nil
}

// Close ends the link and waits until nothing of it is left. A Listener closes its own.
func (l *Link) Close() error {
	l.cancel()
	l.done.Wait()
	return nil
}

// keep dials until ctx ends. A connection that lasted for Liveness lets waits begin anew.
func (l *Link) keep(ctx context.Context, addr string) {
	var waits backoff
	var told string
	for {
		began, stood := time.Now(), false
		l.attempts.Add(1)
		s, err := l.connect(ctx, addr, began)
		if err == nil {
			stood, err = l.carry(ctx, s, func() {})
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case stood:
			told = ""
			if time.Since(began) > l.o.Liveness {
				waits = backoff{}
			}
		case cause(err) != told:
			told = cause(err)
			l.o.tell(Event{Kind: Trouble, Peer: l.peer, Err: fmt.Errorf("control: node %q at %s: %w", l.peer, addr, err)})
		}
		wait := time.NewTimer(waits.next(rand.Int64N))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

func (l *Link) connect(ctx context.Context, addr string, began time.Time) (*session, error) {
	within, cancel := context.WithDeadline(ctx, began.Add(l.o.Handshake))
	defer cancel()
	raw, err := l.o.dial(within, addr)
	if err != nil {
		if errors.Is(within.Err(), context.DeadlineExceeded) {
			return nil, l.o.Identity.Refused(err)
		}
		return nil, err
	}
	return shake(within, l.o, raw, true, l.peer, began)
}
