// Package journal is the durable queue that needs no broker: an append-only log in preallocated, mapped files.
//
// The life of one envelope: Put copies it into the newest segment, behind everything else, together with its number, its epoch and the
// instant; then, in one store, its length and its checksum. With that store it exists for every consumer, and for whoever comes after a
// kill. Settle says that it is accepted: at once, or once fdatasync has covered it, as Options.Durability asks. A consumer reads it where it
// lies, checks every byte, and Ack moves the group's own cursor, which is a file beside the segments. A segment goes when all groups have
// passed it and Options wants the room.
//
// A journal has one producer, whose lock dies with it. Its successor walks the last segment, clears what a killed append left behind the
// last whole record, raises the epoch and goes on. What was whole and is not any more stops it, with file and offset: nothing is skipped in
// silence.
//
// The bytes are in docs/journal.md.
//
// # Limits
//
// An entry is one envelope, at most 65,507 bytes. A segment has 128 KiB to 1 GiB. Of a group's members one reads, the others wait for its
// end. Linux only; elsewhere Open answers errors.ErrUnsupported.
package journal
