// Package demo is real trades through three processes: a feed publishes them, a strategy answers each with a signal, a
// sink checks the signals, and all three account for every message.
//
// The life of one trade: the feed builds a protocol_v2 message in the bytes its ring lends, stamped with the instant at
// which it was meant to leave. The strategy reads it in place, takes it into its product's rolling statistics, builds a
// signal that carries the trade's number and stamp in the bytes of its own ring, and then releases the trade. The sink
// reads the signal in place and knows of both ways: how long each took, and that nothing is missing, came twice, came out
// of order or was changed.
//
// Feed and strategy may also share no directory: the feed then carries its ring by UDP, and the strategy reads the mirror that it
// keeps of it. Run lays a network between them, two namespaces or loopback.
//
// Each process keeps its counts and histograms in a book, a mapped file beside the rings that outlives it. Run starts the
// three as processes of their own, watches the books, restarts who was killed, and reports.
//
// # Limits
//
// Run: one host, Linux. A book follows 126 publishers' rings. While a consumer is dead its sender goes on for three quarters of
// the ring, some three seconds at the default rate, and then waits for the successor.
package demo
