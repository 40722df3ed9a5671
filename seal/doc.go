// Package seal knows frames, messages with the name that is theirs for life, and envelopes, in which they travel.
//
// A frame lives in memory. A subscriber lends it for the length of one call: its payload is the publisher's own bytes in
// the ring, and nothing of it is copied.
//
// An envelope travels (docs/wire.md). A sender writes a Header, behind it a body, perhaps packed by a Codec, and has a
// Sealer encrypt the body where it lies. A receiver Parses the header, has an Opener open the body, the Codec expand it,
// and Records check it word by word; only then are its bytes used. What a receiver answers, a nak or a status, takes the
// same way back through a BackSealer. Both agree on keys by a Hello and the Announce that answers it.
//
// Limits: a Frame describes one message on one host; its payload is valid only where its lender says so. An envelope that is
// not sealed is believed as far as it does not contradict itself. Sealing hides bodies, not headers, sizes and instants, and
// the copy of a running process, as a virtual machine's snapshot makes it, repeats nonces.
package seal
