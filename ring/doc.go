// Package ring is a one-writer many-reader ring of records in mapped memory, inside a process or across processes.
//
// The life of one record: the writer's Claim lends bytes of the ring itself; the caller writes its message there; Commit
// stores the record's commit word, and with that store the record exists for everybody. A reader's Peek lends the same
// bytes; Release moves the reader's cursor past them. When every gating cursor has passed, the writer may claim the
// bytes anew. Nothing is copied, and no lock or compare-and-swap is on the way.
//
// A gating reader holds the writer back: when the ring is full of what it has not released, Claim answers ErrFull. A
// lossy reader holds nobody back: it copies what it peeks, may be lapped, and then knows exactly how many records it
// lost.
//
// A ring with a path is two files: the data, which readers map read-only, and the cursors. Both outlive the processes
// that use them. Whoever holds the ring's lock byte is its writer; a successor walks to the end of what was committed,
// raises the epoch and goes on. Nothing needs cleaning by hand after a kill.
//
// # Limits
//
// Capacity is a power of two from one page to 1 GiB. A record's payload is at most capacity/8 − 112 bytes (MaxPayload).
// At most 64 readers at a time. Positions are byte offsets since creation and never wrap in practice (64 bits); the
// sequence number of a record is 64 bits, of which the record itself carries the low 32. Named rings need Linux; other
// systems have rings on the heap, within one process.
package ring
