// Package pack makes bodies of envelopes smaller: LZ4, Zstandard, Snappy, or whichever of them pays just now.
//
// A sender fills a body with records and asks its Codec to Pack it into the datagram. The Codec answers with the length and the
// codec number that go into the envelope's header, or with 0, 0: the body travels as it is. The receiver knows from the header how
// long the body was, has a buffer of exactly that length, and its Codec's Unpack fills it or says what is wrong.
//
// An Adaptive codec is told once per batch what waits for the link and how fast the link is (Observe), compresses only while that
// shortens the wait, and tells in one line why (Explain).
//
// Limits: a body is at most 524,280 bytes and at most 256 times what travelled. Unpack proves length and form, not content: who
// needs that seals the envelope. A Codec belongs to one goroutine and starts none.
package pack
