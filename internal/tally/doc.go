// Package tally keeps counters and histograms in a mapped file that any process may read, also after the one that wrote it has died.
//
// A number's life: its owner stores it, plainly, into an entry of the file; whoever wants to know maps the file for reading and copies
// what is there. Nobody asks the owner, and nobody waits for anybody.
//
//	header (4096) ─ 4096 entries of 256 bytes ─ 256 histograms of 32 KiB
//
// Limits: 4096 entries, 256 of them histograms; texts of 232 bytes; histograms from 1 ns to 68 s, to two significant digits.
package tally
