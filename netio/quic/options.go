package quic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
)

// Protocol is what both sides name in the handshake (ALPN).
const Protocol = "pulse-quic/1"

// ErrOptions: options no link can have. The text lists all faults.
var ErrOptions = errors.New("quic: options")

// Defaults of options.
const (
	DefaultConnect  = 3 * time.Second       // how long a handshake may take
	DefaultPause    = 20 * time.Millisecond // before the first new try
	DefaultPauseMax = 2 * time.Second       // and before any
)

// Common is what both sides of a link are told.
type Common struct {
	// Link says who speaks, and of what. Its Events runs on any of the link's goroutines, one at a time, and must not call the link.
	Link link.Options

	// TLS must be set, and name Protocol: trust.Identity makes it. Both sides show a certificate.
	TLS *tls.Config

	// Vouch says whether a certificate is that of a node; nil: one of its names is the node's, see trust.Vouches.
	Vouch func(cert *x509.Certificate, node string) bool

	// Datagrams names the best-effort channels whose frames go as datagrams: none waits for one that was lost. The other node need not
	// do the same.
	Datagrams []string

	// Early has channels whose contract allows repeats greet before the handshake is over, with a node that was met before. What is said
	// so early can be recorded and said again by others. It needs a TLS configuration that resumes sessions.
	Early bool

	Connect time.Duration // how long a handshake may take; 0 is DefaultConnect

	socket func(bind netip.AddrPort) (*net.UDPConn, error) // opens sockets elsewhere than here
}

// DialOptions say whom a Link connects to.
type DialOptions struct {
	Common // Link.Peer, the other node's name, must be set

	To     netip.AddrPort   // where the other node listens
	Others []netip.AddrPort // where it is tried, one after the other, when no connection to To is made; each new search begins at To
	Bind   netip.AddrPort   // own address; zero: the route's, also when that changes

	Pause    time.Duration // before the first new try; 0 is DefaultPause
	PauseMax time.Duration // and before any; 0 is DefaultPauseMax
}

// ListenOptions say where a Listener takes connections, and of whom.
type ListenOptions struct {
	Common // with every node alike: Link.Peer is not heeded, and Link.Name only if set. A channel's mirrors are shared by all links

	Bind  netip.AddrPort // own address; port 0 picks one
	Nodes []string       // who may connect. What is to go to them waits in the rings until they have

	// Connections bounds those that stand or shake hands at any time; 0 is 4 for each node, and 16 more.
	Connections int

	later bool // nodes are named later, by expect
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// faultList collects what is wrong.
type faultList []error

func (f *faultList) add(bad bool, format string, args ...any) {
	if bad {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// checked fills in what both sides have in common.
func (o Common) checked(f *faultList, node string, later bool) Common {
	o.Connect = orDefault(o.Connect, DefaultConnect)
	o.Link.Start = orDefault(o.Link.Start, uint64(time.Now().UnixNano()))
	o.Link.Heartbeat = orDefault(o.Link.Heartbeat, link.DefaultHeartbeat)
	o.Link.Liveness = orDefault(o.Link.Liveness, 3*o.Link.Heartbeat)
	o.Link.Patience = orDefault(o.Link.Patience, link.DefaultPatience)
	if o.Vouch == nil {
		o.Vouch = trust.Vouches
	}
	if o.socket == nil {
		o.socket = func(bind netip.AddrPort) (*net.UDPConn, error) {
			return net.ListenUDP("udp", net.UDPAddrFromAddrPort(bind))
		}
	}
	all := o.Link
	all.Peer, all.Events = node, nil
	if p, err := link.NewPeer(all); err != nil {
		*f = append(*f, err)
	} else {
		f.add(p.Close() != nil, "channels cannot be opened")
	}
	f.add(len(o.Link.Channels) == 0 && !later, "no channel")
	f.add(o.TLS == nil, "no TLS configuration, and QUIC is never plain")
	f.add(o.TLS != nil && !slices.Contains(o.TLS.NextProtos, Protocol), "the TLS configuration names %q, and not %q: make it for quic.Protocol", o.nextProtos(), Protocol)
	f.add(o.Connect < 10*time.Millisecond, "connect %s: at least 10ms", o.Connect)
	for _, name := range o.Datagrams {
		i := slices.IndexFunc(o.Link.Channels, func(c link.Channel) bool { return c.Name == name })
		f.add(i < 0, "datagrams of channel %q, which is none", name)
		f.add(i >= 0 && o.Link.Channels[i].Reliability != link.BestEffort, "datagrams of channel %q, which is reliable: they may be lost", name)
	}
	return o
}

func (o *Common) nextProtos() []string {
	if o.TLS == nil {
		return nil
	}
	return o.TLS.NextProtos
}

func (o DialOptions) checked() (DialOptions, error) {
	var f faultList
	o.Common = o.Common.checked(&f, o.Link.Peer, false)
	o.Pause, o.PauseMax = orDefault(o.Pause, DefaultPause), orDefault(o.PauseMax, DefaultPauseMax)
	for _, to := range append([]netip.AddrPort{o.To}, o.Others...) {
		f.add(!to.IsValid() || to.Port() == 0, "no address to connect to")
		f.add(o.Bind.IsValid() && to.IsValid() && o.Bind.Addr().Unmap().Is4() != to.Addr().Unmap().Is4(), "%s and %s are of two families", o.Bind, to)
	}
	f.add(o.Link.Peer == "", "no name of the node to connect to")
	f.add(o.Pause < time.Millisecond || o.PauseMax < o.Pause, "pause %s to %s: at least 1ms, and in order", o.Pause, o.PauseMax)
	f.add(o.Early && o.TLS != nil && o.TLS.ClientSessionCache == nil, "early, and the TLS configuration has no ClientSessionCache")
	if err := errors.Join(f...); err != nil {
		return o, fmt.Errorf("%w: to %q at %s: %w", ErrOptions, o.Link.Peer, o.To, err)
	}
	return o, nil
}

func (o ListenOptions) checked() (ListenOptions, error) {
	var f faultList
	o.Common = o.Common.checked(&f, "", o.later)
	o.Connections = orDefault(o.Connections, 4*len(o.Nodes)+16)
	f.add(!o.Bind.IsValid(), "no address to listen on")
	f.add(len(o.Nodes) == 0 && !o.later, "no node may connect: name some")
	f.add(o.Connections < len(o.Nodes), "%d connections for %d nodes", o.Connections, len(o.Nodes))
	f.add(o.TLS != nil && o.TLS.ClientAuth < tls.RequireAnyClientCert, "the TLS configuration asks nodes for no certificate: set ClientAuth")
	f.add(o.Early && o.TLS != nil && o.TLS.SessionTicketsDisabled, "early, and the TLS configuration gives out no session tickets")
	for i, node := range o.Nodes {
		f.add(slices.Contains(o.Nodes[:i], node), "node %q is named twice", node)
	}
	for _, c := range o.Link.Channels {
		f.add(c.Codec != nil && len(o.Nodes) > 1, "channel %q: a codec serves one node, and %d are named: listen for each", c.Name, len(o.Nodes))
	}
	if err := errors.Join(f...); err != nil {
		return o, fmt.Errorf("%w: %q on %s: %w", ErrOptions, o.Link.Node, o.Bind, err)
	}
	return o, nil
}
