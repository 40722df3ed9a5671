// Package redis is the queue that a Redis, or Valkey, keeps: one stream for each channel, one entry for each envelope.
//
// The life of one envelope: Put copies it into a free place of the window and returns. The producer's goroutine takes whatever has gathered,
// writes one XADD for each in one pipeline, and the replies are the outcomes; while a pipeline is under way the next one gathers. Nothing is
// ever sent twice by itself: after an error of the link what has no reply is unknown, the producer ends, and its successor goes on at what was
// not accepted. A group of consumers is a group of the stream. One of its members at a time has it, by a lease that lies beside the stream and
// is checked by the same script that reads, so that one which was frozen cannot read on after another took over. Ack is XACK, and what every
// group has acknowledged is trimmed.
//
// An entry has the field "e", the envelope as docs/wire.md has it, and "traceparent" if the envelope carries a trace. The position of a
// delivery is its entry's id in one number: milliseconds · 2^20 + the count within them.
//
// Limits: Redis 6.2 or newer, one server (with replicas) and no cluster. A group is not divided among its members. What process-crash means with
// appendfsync everysec has a gap: docs/redis.md#durability.
package redis
