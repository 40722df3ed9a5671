// Package udp carries a channel's frames over UDP: a Sender reads rings, a Receiver fills mirrors of them elsewhere.
//
// The life of one frame: a Sender's Do finds it in a publisher's ring, among others that follow it, puts the ring's own
// bytes behind an envelope's header, and has the kernel take a datagram, or many datagrams at once. A Receiver's Do
// takes what has arrived, checks it, and appends the records to the mirror of their source, under the numbers they were
// born with. What comes early waits; what is missing is counted, or asked for again and read once more from the
// publisher's ring, which is the retransmit buffer.
//
// Best effort: a Sender releases what the kernel took, and a Receiver counts what is missing, exactly. Repaired: a Sender
// releases what its receivers have in their mirrors, and a Receiver delivers every number or an explicit loss.
//
// Both are workers: bounded, never blocking, for a loop of their own or run inline by the caller's thread. They allocate
// nothing once a source is known.
//
// # Limits
//
// A Sender and a Receiver carry one channel each. A frame larger than an envelope travels in fragments, up to the largest
// payload of the receiver's rings; it needs room in the receiver's stash. Unsealed envelopes are believed: they are for
// networks that nobody else writes to.
package udp
