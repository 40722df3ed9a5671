// Package express joins nodes of a topology past the kernel's sockets: the senders and receivers of package udp over the ends of package xdp.
//
//	ring ─► udp.Sender ─► xdp.End ─► interface ─► xdp.End ─► udp.Receiver ─► mirror
//
// Where that cannot be, for want of rights, of an interface, or because the other node is not by way of it, sockets carry the same
// datagrams, and one note says why.
//
// Limits: one hub for each interface, with at most xdp.MaxPorts ends, one for each channel and node that takes it and one for each channel
// taken.
package express
