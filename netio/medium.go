package netio

import "net/netip"

// Medium carries datagrams past the kernel's UDP sockets, as AF_XDP does. An end of package udp uses one in place of a socket, with the
// same envelopes, so that the far end may use either.
//
// A Medium belongs to one goroutine, never blocks, and allocates nothing once it is open. Its Flush, Receive and what they lend follow one
// another as the batches of a duty cycle:
//
//	Place Place ─ Flush ─ Receive ─ Datagram Datagram ─ Place …
type Medium interface {
	// Spare is how many datagrams Place has room for.
	Spare() int

	// Place lends n bytes for a datagram to an address, 1 to Room. It leaves with the next Flush. nil: there is no room now. What is larger
	// than Room, or than the path takes, is Refused with an error that is sys.ErrTooBig.
	Place(to netip.AddrPort, n int) []byte

	// Flush sends what was placed, as far as that is possible now, and returns how many datagrams wait for the next Flush. An error is
	// final.
	Flush() (waiting int, err error)

	// Refused says how many datagrams were given up since it was asked last, and what is wrong: a neighbour that does not answer, a link
	// that is down and has what was flushed wait. nil: nothing is.
	Refused() (n int, why error)

	// Receive takes what has arrived and returns how many datagrams. What the last Receive lent is lent no more.
	Receive() (n int, err error)

	// Datagram lends datagram i of the last Receive, which may be written to, and says who sent it.
	Datagram(i int) (data []byte, from netip.AddrPort)

	// Room is the most bytes of a datagram. It changes with the link.
	Room() int

	// Local is the own address.
	Local() netip.AddrPort

	Close() error
}
