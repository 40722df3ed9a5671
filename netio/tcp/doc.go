// Package tcp carries channels between two nodes over one TCP connection at a time, plain or by TLS 1.3.
//
// The life of one frame: a Link's Do finds it in a publisher's ring, and has the kernel gather it, with what follows it, behind an
// envelope's header. The other node's Link reads what has arrived into one buffer, and its link.Peer appends the records to the mirror of
// their source. What that node has in its mirrors it confirms, and only then the first node lets go of it.
//
// Dial makes connections, and makes them again when they end, after a pause that grows and is never the same twice. Listen takes them: one
// Link for each node that connects. Both are workers: bounded, never blocking, for a loop of their own or run inline by the caller's
// thread. The handshake of TLS is made by a goroutine, since it blocks; afterwards the worker seals and opens itself.
//
// # Limits
//
// A node has at most link.MaxLinks links to another. A plain connection believes what arrives: it is for networks that nobody else writes
// to.
package tcp
