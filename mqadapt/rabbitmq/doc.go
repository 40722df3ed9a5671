// Package rabbitmq is a durable queue on RabbitMQ.
//
// The life of one envelope: Put copies it into the window and returns; the producer's goroutine publishes it to the exchange, persistent and
// mandatory, in confirm mode. The exchange files a copy with the queue of each group. The broker's confirm makes it accepted: a quorum of the
// cluster has it on disk, or the node of a classic queue has. A broker that does not route it sends it back first, and it is rejected. A
// group's queue has a single active consumer, so that each source's envelopes go to one member, in order; what is not acknowledged when the
// member ends goes back to its place. A stream is one queue for all groups: each keeps the offset it has come to in a small queue of its own.
//
// Connections end: then Producer and Consumer answer an error, what has no outcome is unknown, and mqadapt.Keep opens the next. A broker that
// is blocked, by its memory or disk alarm, or that is stopped, costs nobody a wait: the window fills, and Put takes nothing.
//
// # Limits
//
// AMQP 0-9-1 over TCP or TLS, RabbitMQ 3.8 or later, 3.9 for streams. Nothing is made in passing: Provision makes exchange and queues, and a
// group has what came after that. An envelope that was handed to members DeliveryLimit times and never acknowledged goes to the queue of dead
// letters. Each producer and each consumer has a connection of its own.
package rabbitmq
