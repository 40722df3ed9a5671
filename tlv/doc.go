// Package tlv reads and writes AlphaPulse protocol_v2: 32-byte headers followed by type-length-value records.
//
// # The life of one message
//
// A publisher claims bytes (a ring's own, or any slice) and lets a [Builder], or the one-call [PutTrade], write header,
// TLVs and checksum straight into them. The bytes travel. A reader hands them to a [Parser], which checks magic,
// dialect, version, domain, source, size, checksum (as the domain's [Policy] asks) and every TLV boundary once, and
// answers with a [Message]: a value that points into the same bytes. [Message.TLVs] or [Message.Find] then give
// [TLV]s, and a typed method such as [TLV.Trade] loads the fields. Nothing is copied but the fields, nothing is
// allocated. Bytes that arrive as a stream go through a [Stream] first, which finds the message boundaries and
// recovers after garbage; a [Tracker] watches the sequence numbers and says which [RecoveryRequest] to send.
//
// # Dialects and numberings
//
// Two header layouts share the magic, the version and the checksum rule: [Aligned] (canonical) and [Packed] (older).
// Two numberings of relay domains and sources are alive: [From1] (canonical) and [From0]. A Parser recognises the
// dialect by itself; the numbering is told, or guessed from the TLV types with [GuessNumbering].
//
// # Where this package is stricter than the original, and where more lenient
//
// Refused here, accepted by the original: unknown versions, a payload_size that does not match, trailing bytes, unknown
// domains and sources at parse time, TLV type 0, a wrong fixed size in extended form, an escape inside an escape.
// Accepted here, refused by the original's own parser: the sizes its structs really have where its registry disagrees
// (see [Type.Size]). Padding and reserved bytes are ignored when read and written as zero, except the reserved byte of
// instruments, which carries meaning.
//
// # Limits
//
// A message is at most 1 MiB unless the Parser says otherwise, a TLV payload at most 65,535 bytes. Bounded sizes of the
// registry are advisory, as in the original. Types without a known layout stay opaque bytes. A Message, its TLVs and
// its [List]s are valid as long as the bytes they were parsed from.
package tlv
