package tcp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
)

// ErrOptions: options no link can have. The text lists all faults.
var ErrOptions = errors.New("tcp: options")

// Defaults of options.
const (
	DefaultConnect  = 2 * time.Second       // how long a connection may take to be made, TLS included
	DefaultPause    = 10 * time.Millisecond // before the first new try
	DefaultPauseMax = 2 * time.Second       // and before any
	DefaultNodes    = 64                    // nodes that a listener takes
)

// Socket is what can be asked of every connection.
type Socket struct {
	RecvBuffer, SendBuffer int           // bytes; 0 lets the kernel choose as it goes
	DSCP                   int           // 0 to 63
	UserTimeout            time.Duration // how long what was sent may go unacknowledged; 0 is twice the liveness, and a second at least
}

func (s Socket) options(liveness time.Duration) sys.TCPOptions {
	o := sys.TCPOptions{RecvBuffer: s.RecvBuffer, SendBuffer: s.SendBuffer, DSCP: s.DSCP, UserTimeout: s.UserTimeout}
	if o.UserTimeout == 0 {
		o.UserTimeout = max(2*liveness, time.Second)
	}
	return o
}

// DialOptions say whom a Link connects to.
type DialOptions struct {
	// Link says who speaks, and of what. Peer, the other node's name, must be set.
	Link link.Options

	To     netip.AddrPort   // where the other node listens
	Others []netip.AddrPort // where it is tried, one after the other, when no connection to To is made; each new search begins at To
	Bind   netip.AddrPort   // own address; zero: the route's

	// TLS, if set, has the connection encrypted; nil: it is plain. ServerName must be set, or checked by a VerifyConnection.
	TLS *tls.Config

	Connect  time.Duration // how long a connection may take to be made; 0 is DefaultConnect
	Pause    time.Duration // before the first new try; 0 is DefaultPause
	PauseMax time.Duration // and before any; 0 is DefaultPauseMax
	Socket   Socket
}

func (o DialOptions) checked() (DialOptions, error) {
	o.Connect, o.Pause, o.PauseMax = orDefault(o.Connect, DefaultConnect), orDefault(o.Pause, DefaultPause), orDefault(o.PauseMax, DefaultPauseMax)
	var faults []error
	for _, to := range append([]netip.AddrPort{o.To}, o.Others...) {
		if !to.IsValid() || to.Port() == 0 {
			faults = append(faults, errors.New("no address to connect to"))
		} else if o.Bind.IsValid() && o.Bind.Addr().Unmap().Is4() != to.Addr().Unmap().Is4() {
			faults = append(faults, fmt.Errorf("%s and %s are of two families", o.Bind, to))
		}
	}
	if o.Link.Peer == "" {
		faults = append(faults, errors.New("no name of the node to connect to"))
	}
	if o.Connect < time.Millisecond || o.Pause < time.Millisecond || o.PauseMax < o.Pause {
		faults = append(faults, fmt.Errorf("connect %s, pause %s to %s: at least 1ms each, and in order", o.Connect, o.Pause, o.PauseMax))
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: to %q at %s: %w", ErrOptions, o.Link.Peer, o.To, err)
	}
	return o, nil
}

// ListenOptions say where a Listener takes connections, and of whom.
type ListenOptions struct {
	// Link says who speaks, and of what, with every node alike. Peer and Link are not heeded, and Name only if set: else each node has a
	// place of its own in the rings. Mirrors of a channel are shared by all links.
	Link link.Options

	Bind netip.AddrPort // own address; port 0 picks one

	// Nodes are expected: what is to go to them waits in the rings until they have connected. Others are refused, unless Anyone is set.
	Nodes  []string
	Anyone bool // any node may connect, up to DefaultNodes links together

	// TLS, if set, has connections encrypted; nil: they are plain.
	TLS *tls.Config

	// Vouch says whether a certificate is that of a node: a greeting with another name is refused; nil: trust.Vouches.
	Vouch func(c *x509.Certificate, node string) bool

	Connect time.Duration // how long TLS and a greeting may take together; 0 is DefaultConnect
	Socket  Socket

	later bool // nodes are named by Expect
}

func (o ListenOptions) checked() (ListenOptions, error) {
	o.Connect = orDefault(o.Connect, DefaultConnect)
	var faults []error
	if !o.Bind.IsValid() {
		faults = append(faults, errors.New("no address to listen on"))
	}
	if len(o.Nodes) == 0 && !o.Anyone && !o.later {
		faults = append(faults, errors.New("no node may connect: name some, or say that anyone may"))
	}
	if o.Vouch == nil {
		o.Vouch = trust.Vouches
	}
	if o.Connect < time.Millisecond {
		faults = append(faults, fmt.Errorf("connect %s: at least 1ms", o.Connect))
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %q on %s: %w", ErrOptions, o.Link.Node, o.Bind, err)
	}
	return o, nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
