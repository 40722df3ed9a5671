// Package quic carries channels between two nodes over one QUIC connection at a time: for ways across regions, where the network loses
// packets and addresses change. In one building TCP and UDP are quicker.
//
// The life of one frame: the keeper, a link's one thread that waits, hears that a publisher's ring has something new and wakes the channel's
// writer. It has the channel's link.Peer gather what there is, and writes it to the channel's own stream, or, on a best-effort channel that
// asks for it, sends it in datagrams. The other node's reader of that stream gives what arrives to its link.Peer, which appends it to the
// mirror of its source and confirms it. Only then the first node lets go of it.
//
// Each channel has a stream, and a conversation of its own: what is lost on one holds up no other, and a subscriber that stands still fills
// its own mirror. A connection that ends is made again, and every channel goes on at what was confirmed.
//
// Both nodes show certificates, both are checked by TLS 1.3, and a certificate must be that of the node that greets.
//
// # Limits
//
// Goroutines: two for each channel of a connection, and those of the library. A datagram has one path's packet to lie in; frames that do not
// fit into one go by the stream. The library keeps 128 datagrams that were not taken yet and drops more without a word: they are missing
// numbers here, and counted.
package quic
