// Package transport is the front door: a Node opens channels, a Publisher writes messages into them, a Subscriber reads
// them, in one process or across processes of one host.
//
// The life of one message: Claim lends bytes of the publisher's own ring, the caller writes the message there, Commit
// makes it visible. Each subscriber of the channel has a cursor on that ring; Poll calls the subscriber's function with
// the very same bytes and releases them. Every publisher of a channel has a ring of its own, in files under
// Config.Dir/CHANNEL, so that order is promised per publisher and not between them.
//
// A publisher that dies leaves its ring; one that starts under the same Source takes it over and goes on. Subscribers
// find new publishers while they run. What a gating subscriber has not released holds the publisher back: Claim then
// answers ring.ErrFull, and the caller yields, drops or sheds.
//
// Off the machine the messages go by way of a carrier, a udp.Sender for instance, which Node.Carry gives the publishers'
// rings. On the other machine a receiver, opened with what Node.Inbox returns, keeps a mirror of each: to the subscribers
// there it is a ring like any other, and the frames in it have the source, epoch and seq they were born with.
//
// # Limits
//
// A channel has as many publishers as its directory has files, each with at most 64 subscribers. Other processes' new
// publishers and mirrors are found within 20 ms. A Publisher and a Subscriber each belong to one goroutine at a time.
package transport
