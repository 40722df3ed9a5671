// Package simnet makes a network bad: a relay for UDP that loses, delays, reorders, repeats and damages what passes, the same way for
// the same seed.
//
// A datagram's way: the relay's socket reads it, the direction's Script says its Fate from the seed, the direction and the datagram's
// number, the line changes it and either sends it at once, keeps it until it is due, or holds it back until later ones have gone.
// Answers take the same way back, through the other direction's Script. Each client has a socket of its own towards the target, so
// the target tells clients apart and answers find their way.
//
// Limits: what the kernel drops because a socket's buffer is full never enters the relay and is in no counter. Delays are late by
// what the runtime's timers are late, about a millisecond. A direction keeps at most 65,536 datagrams or 64 MiB, the relay 1024
// clients; the one that was silent longest makes room. With several clients a datagram's number depends on which came first.
package simnet
