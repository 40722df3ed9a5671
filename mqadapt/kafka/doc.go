// Package kafka is the durable queue that a topic of Apache Kafka is.
//
// The life of one envelope: Put copies it into a slot of its window and hands it to the client, as one record, in the partition that its
// source always has. The client's own goroutines carry it, with a number that the broker drops repeats by, until all replicas in sync have
// it; then the slot is settled, and Settle says so when everything before it is settled too. A consumer's client fetches ahead; Get lends
// what came, Ack marks offsets, and what is marked is committed to the group every so often and before a partition goes to another member.
// What was lent and not acknowledged by then comes again, to whoever has the partition next.
//
// With Options.Transaction the slots of a window travel in transactions, one at a time: all of one or nothing is seen, also by consumers that
// are not of this package.
//
// What the client cannot mend by itself - the topic is gone, or is another one of the same name, or takes less than it did - makes the
// producer open a new client and learn the topic's limits again. Until that works everything is rejected, with the reason.
//
// # Limits
//
// An envelope is one record of at most 65,507 bytes and of what the topic takes. Kafka 2.1 or later; 4.0 or later for transactions. A topic
// has no bound of its own: retention drops what is old whether a group has read it or not, and Delivery.Lost says how much. A topic whose
// partitions become more gives sources other partitions, so it has to be read to its end before.
package kafka
