package sys

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// MaxPieces is the most pieces that one TCP send gathers.
const MaxPieces = 64

// TCPOptions says how a connection is opened, or taken by a listener. Zero fields are the system's.
type TCPOptions struct {
	Bind        netip.AddrPort // own address; a listener's must be set
	Connect     netip.AddrPort // the far end; of a listener, zero
	RecvBuffer  int            // bytes, at most 1 GiB; 0 lets the kernel choose as it goes
	SendBuffer  int            // bytes, at most 1 GiB; 0 lets the kernel choose as it goes
	DSCP        int            // 0 to 63
	UserTimeout time.Duration  // how long what was sent may go unacknowledged before the connection ends (TCP_USER_TIMEOUT)
	Backlog     int            // of a listener: connections that wait to be accepted; 0 is 128
}

func (o *TCPOptions) check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(!o.Bind.IsValid() && !o.Connect.IsValid(), "neither bind nor connect is set")
	fault(o.Bind.IsValid() && o.Connect.IsValid() && o.Bind.Addr().Unmap().Is4() != o.Connect.Addr().Unmap().Is4(),
		"bind %s and connect %s are of two families", o.Bind, o.Connect)
	fault(o.Connect.IsValid() && o.Connect.Port() == 0, "connect %s has no port", o.Connect)
	fault(o.RecvBuffer < 0 || o.RecvBuffer > maxBuffer, "receive buffer of %d bytes is not 0 to %d", o.RecvBuffer, maxBuffer)
	fault(o.SendBuffer < 0 || o.SendBuffer > maxBuffer, "send buffer of %d bytes is not 0 to %d", o.SendBuffer, maxBuffer)
	fault(o.DSCP < 0 || o.DSCP > 63, "DSCP %d is not 0 to 63", o.DSCP)
	fault(o.UserTimeout < 0 || o.UserTimeout > 24*time.Hour, "user timeout of %s is not 0 to 24h", o.UserTimeout)
	fault(o.Backlog < 0 || o.Backlog > 1<<16, "backlog of %d is not 0 to 65536", o.Backlog)
	return errors.Join(faults...)
}
