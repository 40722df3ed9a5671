package xdp

import (
	"errors"
	"syscall"
)

// Stats counts since the socket was opened. Packets count with all their chunks. Every packet to our ports that does not arrive is in
// Dropped, RingFull or FillEmpty, as far as the kernel knows: what a network card has lost is among the interface's own counters.
type Stats struct {
	Received uint64 // packets that Peek lent
	Sent     uint64 // packets that Commit took
	Pokes    uint64 // system calls to have the kernel look at the fill ring, or at the device
	Kicks    uint64 // system calls to have the kernel send
	Again    uint64 // of these, how many left something
	Refused  uint64 // of these, how many were refused: the device is full, or down

	Dropped     uint64 // by the kernel: larger than the chunks allowed
	RingFull    uint64 // by the kernel: we peek too slowly
	FillEmpty   uint64 // the kernel had no chunk for a packet: we release too slowly
	Invalid     uint64 // chunks that the kernel did not take to receive into
	SendInvalid uint64 // chunks that the kernel did not take to send
	SendEmpty   uint64 // times the kernel looked for something to send, and there was nothing
}

// Passed is what the program let the kernel have.
type Passed struct {
	Foreign   uint64 // frames that are nothing to our ports: other protocols, other ports, headers that are not looked behind, runts
	Fragments uint64 // of IPv4 and IPv6, whosever: only the kernel puts them together
	Unserved  uint64 // datagrams to our ports on a queue that has no socket
}

// Passed reads what the program counted. A device that only sends has none. It is a few system calls, from any goroutine until Close.
func (d *Device) Passed() (Passed, error) {
	if d.program == nil {
		return Passed{}, nil
	}
	n, err := d.program.passedOn()
	return Passed{Foreign: n[passForeign], Fragments: n[passFragment], Unserved: n[passUnserved]}, err
}

// Stats reads the counters. It may be called from any goroutine until Close, and is a system call.
func (s *Socket) Stats() (Stats, error) {
	k, err := s.xsk.Statistics()
	if errors.Is(err, syscall.EBADF) {
		err = ErrClosed
	}
	if err != nil {
		return Stats{}, err
	}
	return Stats{Received: s.received.Load(), Sent: s.sent.Load(), Pokes: s.pokes.Load(), Kicks: s.kicks.Load(), Again: s.again.Load(),
		Refused: s.refused.Load(), Dropped: k.Dropped, RingFull: k.RingFull, FillEmpty: k.FillEmpty, Invalid: k.Invalid,
		SendInvalid: k.SendInvalid, SendEmpty: k.SendEmpty}, nil
}
