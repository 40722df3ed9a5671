package sys

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

const (
	// MaxDatagram is the most bytes in one send: 65,535 less the headers of IPv4 and UDP. It bounds all segments together.
	MaxDatagram = 65_507
	// MaxSegments is the most segments in one send (UDP_MAX_SEGMENTS, 128 since Linux 6.9, 64 before; see Features).
	MaxSegments = 128
	// MaxMessages is the most messages in one batch (UIO_MAXIOV).
	MaxMessages = 1024

	maxBuffer   = 1 << 30
	maxBusyPoll = time.Second
)

// What a send or a receive may answer; compare with errors.Is or ==. The first three pass: the same call may succeed later. The
// others refuse the message at the head of the batch for good.
var (
	// ErrAgain: the socket's send buffer is full. Come again, or Wait for room.
	ErrAgain error = syscall.EAGAIN
	// ErrNoBuffers: the machine or the device has no memory for the datagram. Come again later.
	ErrNoBuffers error = syscall.ENOBUFS
	// ErrRefused: an earlier datagram met a closed port (ICMP). Nothing was sent now; the next call starts afresh.
	ErrRefused error = syscall.ECONNREFUSED

	// ErrTooBig: the datagram, or one segment, is larger than the path or UDP allows.
	ErrTooBig error = syscall.EMSGSIZE
	// ErrSegments: the kernel refuses the segments (EINVAL): too many of them or, on older kernels, one that exceeds the path.
	ErrSegments error = syscall.EINVAL
	// ErrOffload: the route's device cannot carry segments (EIO). Send them one by one.
	ErrOffload error = syscall.EIO
)

// PathMTU says what becomes of datagrams that exceed the path.
type PathMTU uint8

// The modes of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER.
const (
	PathMTUSystem   PathMTU = iota // as the system is set up
	PathMTUFragment                // cut into fragments where needed
	PathMTUStrict                  // never cut: ErrTooBig above the path's known MTU
	PathMTUProbe                   // never cut, and the path's known MTU is not believed: only the device's counts
)

// Stamps says who notes when datagrams arrive.
type Stamps uint8

// Kinds of timestamps, each with the one before it to fall back on.
const (
	StampsOff      Stamps = iota
	StampsSoftware        // the kernel, when the driver hands it over; CLOCK_REALTIME
	StampsHardware        // the device, by its own clock
)

// UDPOptions says how a socket is opened. Bind or Connect must be set, and of one family.
type UDPOptions struct {
	Bind    netip.AddrPort // own address, maybe a group's; port 0 picks one. Zero: any address, any port
	Connect netip.AddrPort // the only peer, to send to and to hear from; zero: not connected

	ReusePort  bool // share the port with sockets that ask the same; peers are spread over them by hash
	RecvBuffer int  // bytes, at most 1 GiB; 0 is the system's. More than net.core.rmem_max needs CAP_NET_ADMIN
	SendBuffer int  // bytes, at most 1 GiB; 0 is the system's. More than net.core.wmem_max needs CAP_NET_ADMIN

	BusyPoll       time.Duration // poll the device for so long before a wait sleeps, at most 1 s; needs CAP_NET_ADMIN
	PreferBusyPoll bool          // keep interrupts off while polling goes on (since Linux 5.11); needs BusyPoll and CAP_NET_ADMIN

	DSCP    int     // 0 to 63
	TTL     int     // 1 to 255; 0 is the system's
	PathMTU PathMTU // what becomes of datagrams that exceed the path

	MulticastTTL       int    // 1 to 255; 0 is 1: no router passes it on
	MulticastLoop      bool   // what is sent to a group reaches members on this host, too
	MulticastInterface string // leaves through this interface; empty: the route decides

	GRO            bool   // several datagrams of one peer arrive as one message with a segment size (since Linux 5.0)
	Timestamps     Stamps // of received datagrams
	SendStamps     bool   // when each send left comes through NextError, and must be read there; needs Timestamps
	StampInterface string // the device told to stamp, for all who use it; StampsHardware needs it, and CAP_NET_ADMIN
	ErrorQueue     bool   // network errors are kept with their origin, for NextError; they also reach sockets that are not connected
}

// Features says what is in force on a socket, whatever was asked.
type Features struct {
	Segments       int // most segments in one send; 0: this kernel cannot (before Linux 4.18)
	GRO            bool
	BusyPoll       time.Duration // works only on devices that poll: see NAPI
	PreferBusyPoll bool
	Timestamps     Stamps
	SendStamps     bool
	ErrorQueue     bool
	RecvBuffer     int // bytes, as asked for: the kernel sets aside twice as much for its own bookkeeping
	SendBuffer     int // bytes
}

// QueuedError is one entry of a socket's error queue: a network error, or when a datagram was sent.
type QueuedError struct {
	Err        error   // what the network said, such as ErrRefused; nil for a timestamp
	Local      bool    // this host said it, and no ICMP message
	Type, Code uint8   // of the ICMP message
	MTU        uint32  // what the path takes, bytes with IP header; with ErrTooBig, else 0
	From       Address // who sent the ICMP message, port 0
	To         Address // where the datagram was going

	Sent     uint32 // which send a timestamp is of, from 0 upwards; a send of segments counts once
	Stamp    int64  // nanoseconds since 1970, or of the device's clock; 0 for an error
	Hardware bool   // the device stamped
}

// check finds everything that is wrong with the options.
func (o *UDPOptions) check() error {
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
	fault(o.BusyPoll < 0 || o.BusyPoll > maxBusyPoll, "busy poll of %s is not 0 to %s", o.BusyPoll, maxBusyPoll)
	fault(o.PreferBusyPoll && o.BusyPoll == 0, "preferred busy poll needs a busy poll")
	fault(o.DSCP < 0 || o.DSCP > 63, "DSCP %d is not 0 to 63", o.DSCP)
	fault(o.TTL < 0 || o.TTL > 255, "TTL %d is not 0 to 255", o.TTL)
	fault(o.MulticastTTL < 0 || o.MulticastTTL > 255, "multicast TTL %d is not 0 to 255", o.MulticastTTL)
	fault(o.PathMTU > PathMTUProbe, "path MTU mode %d is not known", o.PathMTU)
	fault(o.Timestamps > StampsHardware, "timestamps %d are not known", o.Timestamps)
	fault(o.Timestamps == StampsHardware && o.StampInterface == "", "hardware timestamps need a stamp interface")
	fault(o.SendStamps && o.Timestamps == StampsOff, "send stamps need timestamps")
	return errors.Join(faults...)
}
