// Package link is the conversation of two nodes over a reliable stream of bytes, without the stream: TCP, TLS and QUIC carry it, a test
// carries it in memory.
//
// The life of one frame: a Peer finds it in a publisher's ring, among others that follow it, puts an envelope's header before the ring's own
// bytes and lends both to whoever writes them. The other node's Peer is given what arrives, in whatever pieces, takes the envelope apart,
// checks it, and appends the records to the mirror of their source, under the numbers they were born with. What it has, it confirms; the
// first Peer then lets go of it in the ring.
//
// A Peer outlives connections. Each begins with a greeting, by which both sides compare what they mean by their channels, and goes on
// where the last one was confirmed: nothing is lost, nothing comes twice, and each source keeps its order.
//
// # Limits
//
// A greeting is at most 64 KiB, and a node has at most 1024 channels. A frame larger than an envelope travels in fragments, up to the
// largest payload of the mirrors. Envelopes are not sealed here: what carries them sees to that.
package link
