package packet

import "errors"

// What a Resolver says of a destination that has no way just now. Each may pass: the caller looks again after Do.
var (
	// ErrPending says that the next hop is being asked for its Ethernet address.
	ErrPending = errors.New("packet: the next hop has not answered yet")

	// ErrSilent says that the next hop did not answer, in the kernel's patience or in the caller's. It is asked on.
	ErrSilent = errors.New("packet: the next hop does not answer")

	// ErrUnreachable says that no route leads to the destination through the interface, or that one forbids it.
	ErrUnreachable = errors.New("packet: no route through the interface")

	// ErrLocal says that the destination is this host. The caller takes the loopback interface.
	ErrLocal = errors.New("packet: the destination is this host")

	// ErrDown says that the interface is down, has no carrier or is gone.
	ErrDown = errors.New("packet: the interface is down")
)

// ErrInterface says that an interface does not carry Ethernet frames. The caller names another.
var ErrInterface = errors.New("packet: neither Ethernet nor loopback")
