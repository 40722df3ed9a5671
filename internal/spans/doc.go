// Package spans keeps what traced frames went through, where any process may read it.
//
// A frame that is traced passes a hop: its publisher, a sender, a receiver, a subscriber. There Log.Pass draws a span id, puts the span into
// a queue of fixed length and returns the context that goes on with the frame, all on the thread that has the frame; nothing waits. A goroutine
// of the Log takes the span from the queue and writes it into a ring of 256 KiB, DIR/.watch/NAME.spans. A Tail reads the rings of all processes
// of a directory with lossy readers, which hold nobody back.
//
// # Limits
//
// A span that finds the queue full is dropped and counted, as are spans that a Tail was too slow for. The ring is made with the first span: a
// node without traces has none. A ring's layout is docs/layout.md, a span's stands above Span.
package spans
