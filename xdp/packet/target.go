package packet

import (
	"fmt"
	"net/netip"
	"time"
)

// Way is how packets get to a destination.
type Way struct {
	NextHop   MAC        // of the destination or of the router before it; a group's own
	SourceMAC MAC        // of the interface
	Source    netip.Addr // the address that the kernel would send from; not valid where there is none
	MTU       int        // the largest IP packet, headers and all
}

// Target is a destination that a Resolver follows. It belongs to the Resolver's goroutine.
type Target struct {
	to      netip.Addr
	route   route
	refused error // why there is no route
	hop     *hop  // nil where nobody needs to be asked
	way     Way
	err     error
	changes uint64
}

// Way is the way as of the last Do, or why there is none: ErrPending, ErrSilent, ErrUnreachable, ErrLocal, ErrDown, or what the kernel
// said.
func (t *Target) Way() (Way, error) { return t.way, t.err }

// Changes counts how often Way has changed its answer. A sender that has made a Template of it looks at this number.
func (t *Target) Changes() uint64 { return t.changes }

// hop is a neighbour that packets go to.
type hop struct {
	addr   netip.Addr
	state  uint16
	mac    MAC
	silent bool      // it did not answer, and has not since
	asked  time.Time // when the kernel was last told to ask
	fault  error     // why the kernel would not
}

func (h *hop) valid() bool { return h.state&neighbourValid != 0 }

// due reports whether the kernel should ask the neighbour: it has no address, or one that may be old. Nobody else tells the kernel
// that the neighbour is in use, as it sees none of the packets.
func (h *hop) due() bool { return !h.valid() || h.state&neighbourStale != 0 }

// take notes what the kernel says of the neighbour.
func (h *hop) take(n neighbour) {
	h.state = n.state
	if !n.named {
		h.state &^= neighbourValid // as on devices without addresses, which are not served
	}
	switch {
	case h.valid():
		h.mac, h.silent, h.fault = n.mac, false, nil
	case n.state&neighbourFailed != 0:
		h.silent = true
	}
}

// settle draws the conclusion for t from what is known.
func (t *Target) settle(l *link) {
	way, err := t.conclude(l)
	if way != t.way || !sameError(err, t.err) {
		t.way, t.err = way, err
		t.changes++
	}
}

func sameError(a, b error) bool { return a == b || a != nil && b != nil && a.Error() == b.Error() }

func (t *Target) conclude(l *link) (Way, error) {
	way := Way{SourceMAC: l.mac, Source: t.route.source, MTU: int(l.mtu)}
	if t.route.mtu > 0 {
		way.MTU = min(way.MTU, int(t.route.mtu))
	}
	switch {
	case l.flags&linkIsUp == 0 || l.flags&linkHasLower == 0:
		return Way{}, ErrDown
	case t.refused != nil:
		return Way{}, t.refused
	case l.kind == linkLoopback:
	case t.to.IsMulticast():
		way.NextHop = GroupMAC(t.to)
	case t.route.kind == routeBroadcast:
		way.NextHop = Broadcast
	case t.hop == nil:
		return Way{}, ErrPending
	case t.hop.valid():
		way.NextHop = t.hop.mac
	case t.hop.fault != nil:
		return Way{}, fmt.Errorf("packet: asking %s: %w", t.hop.addr, t.hop.fault)
	case t.hop.silent:
		return Way{}, ErrSilent
	default:
		return Way{}, ErrPending
	}
	return way, nil
}

// judge says why a route does not serve, or nil.
func (t *Target) judge(r route, l *link) error {
	local := r.kind == routeLocal || t.to.IsLoopback()
	switch {
	case l.kind == linkLoopback && !local:
		return ErrUnreachable
	case l.kind == linkLoopback:
		return nil
	case local:
		return ErrLocal
	case r.out != l.index:
		return ErrUnreachable
	case t.to.IsMulticast(), r.kind == routeBroadcast:
		return nil
	case r.kind != routeUnicast || r.table == 0:
		// Told to use an interface, the kernel takes everything for a neighbour there that it has no IPv4 route for. Then it names no table.
		return ErrUnreachable
	}
	return nil
}
