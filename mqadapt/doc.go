// Package mqadapt has what all durable queues share: the contract that a backend fulfils, and the two workers that stand between rings and
// any queue.
//
// The life of one message: a publisher commits it to its ring. A Shipper reads the ring with a durable cursor, puts whole runs of records
// into envelopes (docs/wire.md, so that source, epoch and numbers are in the clear), and hands them to a Producer, as many at a time as its
// window allows. What the queue has accepted is released in the ring; after anything else the Shipper goes back to the first envelope that is
// not confirmed and sends on from there, in order. On the far side a Taker gets the envelopes from a Consumer, drops what the mirror of their
// source has, appends the rest to it, and acknowledges. So a queue may repeat what it likes: a subscriber of the mirror has each
// (source, epoch, seq) once, in order, whoever was killed meanwhile. No publisher's thread ever meets a queue.
//
// A backend passes package queuetest. The embedded one is package journal.
//
// Limits: an envelope has at most seal.MaxBody bytes of records; a larger record travels in fragments. A Shipper has at most
// ShipperOptions.Window envelopes on their way, a Taker holds at most TakerOptions.Early envelopes of a source that came before their turn.
package mqadapt
