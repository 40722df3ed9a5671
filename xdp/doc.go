// Package xdp takes UDP datagrams to chosen ports off an interface before the kernel's network stack sees them, and puts packets on
// it behind the stack's back (AF_XDP).
//
// The life of one datagram: it arrives in a queue of the interface, where a small program looks at it. If it is UDP to one of the
// device's ports, the program redirects it to the queue's Socket: the kernel, or in zero-copy mode the network card, has put it into
// a chunk that the fill ring named, and the receive ring names the chunk now. Peek lends it, Release gives the chunk back to the fill
// ring. Everything else goes its usual way. The other way round, Claim lends an empty chunk, the caller writes a packet with all its
// headers into it, Commit puts it into the send ring and calls the kernel if that sleeps.
//
// A Device takes the best mode that works and says which and why (Mode, Probe). Nothing here allocates per packet, locks or waits,
// but for Wait.
//
// # Limits
//
// Packets are Ethernet packets: headers, addresses and checksums are the caller's. The program is attached by a link that dies with
// the process; it never replaces another program. Fragments, IPv4 options, IPv6 extension headers and a second VLAN tag pass to the
// kernel. Linux 5.11 is the oldest that is meant; packets of several chunks take 6.6.
package xdp
