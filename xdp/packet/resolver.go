package packet

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// How often a Resolver does what. Nothing here waits.
const (
	askApart    = time.Second           // a neighbour is asked for, at most; the kernel repeats by itself
	lookApart   = 10 * time.Millisecond // routes are looked up again, at most, while they change
	lookEvery   = 30 * time.Second      // and at least: the kernel tells nobody when it learns a path's MTU
	glanceEvery = 50 * time.Millisecond // neighbours are looked over
	answerIn    = time.Second           // the kernel answers; it does at once

	maxDatagrams = 64       // heard in one Do
	hearRoom     = 32 << 10 // the kernel writes no longer datagrams
)

// Resolver finds the ways to destinations through one interface and keeps them as they change.
//
// Routes, neighbours and the interface are the kernel's, read over rtnetlink(7). The simple way, to ask once, was not enough: neighbours
// change their Ethernet address and routes their next hop. To ask for each packet would be slow. So the Resolver subscribes to what
// changes; where changes come faster than it reads, it looks everything up again.
//
// A neighbour that the kernel does not know, or has not heard for long, is asked for by telling the kernel that somebody uses it (NTF_USE).
// The kernel then does ARP or neighbour discovery as for a packet of its own, with its own repetitions and limits. An empty datagram to the
// destination would do that too, but would also arrive, pass filters, be answered by ICMP, and go unnoticed by a neighbour that is only
// the router on the way. It needs CAP_NET_ADMIN, as AF_XDP does.
//
// It belongs to one goroutine. The zero Resolver is not valid.
type Resolver struct {
	ask, hear *sys.Netlink
	seq       uint32
	room      []byte
	link      link
	targets   map[netip.Addr]*Target
	hops      map[netip.Addr]*hop // those of the targets
	stale     bool                // something changed: look up again
	looked    time.Time
	glanced   time.Time
}

// OpenResolver opens a Resolver for the interface called ifname, in the network namespace of the calling thread. An interface that is
// removed is gone for good, whatever is called like it later.
func OpenResolver(ifname string) (*Resolver, error) {
	r := &Resolver{room: make([]byte, hearRoom), targets: map[netip.Addr]*Target{}, hops: map[netip.Addr]*hop{}, stale: true}
	if err := r.open(ifname); err != nil {
		return nil, errors.Join(fmt.Errorf("packet: interface %q: %w", ifname, err), r.Close())
	}
	return r, nil
}

func (r *Resolver) open(ifname string) (err error) {
	if r.hear, err = sys.OpenNetlink(groups...); err != nil { // before the first question, so that no change is missed
		return err
	}
	if r.ask, err = sys.OpenNetlink(); err != nil {
		return err
	}
	if err := r.question(askLink(ifname), r.takeLink); err != nil {
		return err
	}
	if r.link.kind != linkEthernet && r.link.kind != linkLoopback {
		return ErrInterface
	}
	return nil
}

// Close gives back what OpenResolver took. Targets keep the last they knew.
func (r *Resolver) Close() error {
	var faults []error
	for _, n := range []*sys.Netlink{r.ask, r.hear} {
		if n != nil {
			faults = append(faults, n.Close())
		}
	}
	return errors.Join(faults...)
}

// Resolve follows to and waits until its way is known, or known not to be there, at most patience. Where the next hop has not answered by
// then, it is ErrSilent.
func (r *Resolver) Resolve(to netip.Addr, patience time.Duration) (Way, error) {
	now := time.Now()
	deadline := now.Add(patience)
	t, err := r.Follow(to, now)
	if err != nil {
		return Way{}, err
	}
	if t.hop != nil && !t.hop.valid() {
		t.hop.silent = false // asked anew
		r.settle()
	}
	for ; ; now = time.Now() {
		if _, err := r.Do(now); err != nil {
			return Way{}, err
		}
		way, err := t.Way()
		if err == nil {
			return way, nil
		}
		left := deadline.Sub(now)
		if errors.Is(err, ErrPending) && left <= 0 {
			err = ErrSilent
		}
		if !errors.Is(err, ErrPending) {
			return Way{}, fmt.Errorf("%w: %s on %s", err, t.to, r.link.name)
		}
		if err := r.hear.Wait(min(left, glanceEvery)); err != nil {
			return Way{}, fmt.Errorf("packet: %w", err)
		}
	}
}

// MTU is the interface's, as of the last Do.
func (r *Resolver) MTU() int { return int(r.link.mtu) }

// Follow looks up the way to a destination and keeps it as it changes, until Forget. The same destination is the same Target. A zone is
// ignored: the interface is the Resolver's.
func (r *Resolver) Follow(to netip.Addr, now time.Time) (*Target, error) {
	to = to.Unmap().WithZone("")
	if !to.IsValid() || to.IsUnspecified() {
		return nil, fmt.Errorf("packet: %s: no destination", to)
	}
	if t := r.targets[to]; t != nil {
		return t, nil
	}
	t := &Target{to: to}
	if err := r.lookUp(t); err != nil {
		return nil, err
	}
	r.targets[to] = t
	t.settle(&r.link)
	return t, r.glance(now)
}

// Forget ends Follow.
func (r *Resolver) Forget(to netip.Addr) {
	delete(r.targets, to.Unmap().WithZone(""))
	r.sweep()
}

// Do hears what the kernel says, looks up what has changed and has it ask those neighbours that need to be asked. It returns how many
// datagrams it heard. While nothing changes it is one system call; else it asks, and the kernel answers when nobody else changes or reads the
// network's configuration, in whatever namespace: who cannot wait for that calls Hear, and Do on another goroutine when that says so.
func (r *Resolver) Do(now time.Time) (n int, err error) {
	if n, err = r.listen(); err != nil {
		return n, err
	}
	return n, r.tend(now)
}

// Hear hears what the kernel says and reports whether there is something to ask it: then Do is due. It is one system call while nothing changes,
// and never waits.
func (r *Resolver) Hear(now time.Time) (due bool, err error) {
	if _, err := r.listen(); err != nil {
		return false, err
	}
	if r.looks(now) {
		return true, nil
	}
	if now.Sub(r.glanced) < glanceEvery {
		return false, nil
	}
	for _, h := range r.hops {
		due = due || r.asks(h, now)
	}
	if !due {
		r.glanced = now
	}
	return due, nil
}

// listen takes what the kernel has said.
func (r *Resolver) listen() (n int, err error) {
	for n < maxDatagrams {
		size, err := r.hear.Recv(r.room)
		switch {
		case errors.Is(err, syscall.ENOBUFS):
			r.stale = true
		case errors.Is(err, syscall.EAGAIN):
			return n, nil
		case err != nil:
			return n, fmt.Errorf("packet: %w", err)
		}
		n++
		r.take(r.room[:size])
	}
	return n, nil
}

// looks reports whether everything is to be looked up again.
func (r *Resolver) looks(now time.Time) bool {
	since := now.Sub(r.looked)
	return r.stale && since >= lookApart || since >= lookEvery
}

// asks reports whether the kernel should ask a neighbour.
func (r *Resolver) asks(h *hop, now time.Time) bool {
	return h.due() && now.Sub(h.asked) >= askApart && r.link.flags&linkIsUp != 0
}

// tend does what is due at now.
func (r *Resolver) tend(now time.Time) error {
	if r.looks(now) {
		r.looked, r.stale = now, false
		if err := r.lookAgain(); err != nil {
			return err
		}
	}
	if now.Sub(r.glanced) < glanceEvery {
		return nil
	}
	return r.glance(now)
}

// take notes what a datagram of the kernel's says has changed.
func (r *Resolver) take(b []byte) {
	for m, rest, ok := nextMessage(b); ok; m, rest, ok = nextMessage(rest) {
		switch m.kind {
		case kindNewNeighbour, kindDelNeighbour:
			n, ok := readNeighbour(m.body)
			h := r.hops[n.addr]
			if !ok || h == nil || n.index != r.link.index {
				continue
			}
			if m.kind == kindDelNeighbour {
				n.state = 0
			}
			h.take(n)
			r.settle()
		case kindNewLink, kindDelLink:
			// It may tell of one property only, so it is asked for all.
			if l, ok := readLink(m.body); ok && l.index == r.link.index {
				r.stale = true
			}
		case kindNewAddr, kindDelAddr, kindNewRoute, kindDelRoute, kindNewRule, kindDelRule:
			r.stale = true
		}
	}
}

// lookAgain asks for everything.
func (r *Resolver) lookAgain() error {
	err := r.question(askIndex(r.link.index), r.takeLink)
	if errors.Is(err, syscall.ENODEV) {
		r.link.flags, err = 0, nil
	}
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.lookUp(t); err != nil {
			return err
		}
	}
	r.sweep()
	for _, h := range r.hops {
		if err := r.read(h); err != nil {
			return err
		}
	}
	r.settle()
	return nil
}

func (r *Resolver) takeLink(m message) {
	if l, ok := readLink(m.body); ok {
		r.link = l
	}
}

// lookUp asks for the route to t, and for the neighbour on it if that is a new one.
func (r *Resolver) lookUp(t *Target) error {
	t.route, t.hop, t.refused = route{}, nil, ErrUnreachable
	err := r.question(askRoute(&r.link, t.to), func(m message) {
		if found, ok := readRoute(m.body); ok {
			t.route, t.refused = found, t.judge(found, &r.link)
		}
	})
	if isErrno(err) {
		t.refused = fmt.Errorf("%w: %w", ErrUnreachable, err)
		return nil
	}
	if err != nil || t.refused != nil || t.to.IsMulticast() || t.route.kind == routeBroadcast || r.link.kind == linkLoopback {
		return err
	}
	addr := t.to
	if t.route.hop.IsValid() {
		addr = t.route.hop
	}
	if t.hop = r.hops[addr]; t.hop != nil {
		return nil
	}
	t.hop = &hop{addr: addr}
	r.hops[addr] = t.hop
	return r.read(t.hop)
}

// sweep drops the hops of no target.
func (r *Resolver) sweep() {
	used := map[netip.Addr]*hop{}
	for _, t := range r.targets {
		if t.hop != nil {
			used[t.hop.addr] = t.hop
		}
	}
	r.hops = used
}

// read asks what the kernel knows of the neighbour, which may be nothing.
func (r *Resolver) read(h *hop) error {
	err := r.question(askNeighbour(r.link.index, h.addr), func(m message) {
		if n, ok := readNeighbour(m.body); ok {
			h.take(n)
		}
	})
	if isErrno(err) {
		h.state = 0
		return nil
	}
	return err
}

// glance has the kernel ask those neighbours that are due.
func (r *Resolver) glance(now time.Time) error {
	r.glanced = now
	for _, h := range r.hops {
		if !r.asks(h, now) {
			continue
		}
		h.asked, h.fault = now, nil
		err := r.question(useNeighbour(r.link.index, h.addr), func(message) {})
		if isErrno(err) {
			h.fault = err
		} else if err != nil {
			return err
		} else if err := r.read(h); err != nil { // it may need no asking
			return err
		}
		r.settle()
	}
	return nil
}

func (r *Resolver) settle() {
	for _, t := range r.targets {
		t.settle(&r.link)
	}
}

// refusal is what the kernel answers instead of doing what it is asked.
type refusal syscall.Errno

func (e refusal) Error() string { return syscall.Errno(e).Error() }

func (e refusal) Unwrap() error { return syscall.Errno(e) }

func isErrno(err error) bool {
	var e refusal
	return errors.As(err, &e)
}

// question asks the kernel and takes the one answer it gives. A refusal is an error.
func (r *Resolver) question(q request, take func(message)) error {
	r.seq++
	q.number(r.seq)
	if err := r.ask.Send(q); err != nil {
		return fmt.Errorf("packet: netlink: %w", err)
	}
	for deadline := time.Now().Add(answerIn); ; {
		n, err := r.ask.Recv(r.room)
		if errors.Is(err, syscall.EAGAIN) {
			left := time.Until(deadline)
			if left <= 0 {
				return errors.New("packet: netlink: no answer")
			}
			if err := r.ask.Wait(left); err != nil {
				return fmt.Errorf("packet: netlink: %w", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("packet: netlink: %w", err)
		}
		m, _, ok := nextMessage(r.room[:n])
		if !ok || m.seq != r.seq {
			continue // of a question that was given up
		}
		if e, ok := m.errno(); ok {
			if e == 0 {
				return nil
			}
			return refusal(-e)
		}
		take(m)
		return nil
	}
}
