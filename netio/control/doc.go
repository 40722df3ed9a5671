// Package control is the link over which two nodes agree before frames flow by other ways: TLS 1.3 over TCP, both sides certified.
//
// The life of one connection: TLS says who is there (package trust). Both sides greet at once, with what they mean by each channel
// (package link); a channel of which they mean different things is refused by the name of the field, the others go on. Both say which
// secret they hold for each other, and keep it or take a new one from this handshake. Then beats go to and fro: they show that the other
// side lives, how long a message is under way, and how far apart the clocks are. Keys of multicast groups are handed out here, too.
// A Link outlives its connections: it dials again, and the peer is dialled by nobody else.
//
//	dial ─ TLS ─ greeting ═ greeting ─ root ═ root ─ Connected ─ beat ═ beat … Disconnected ─ wait ─ dial
//
// # Secrets
//
// What two nodes share comes from the exporter of a handshake between them, and lives as long as both processes do: a connection that
// breaks and comes back changes no key. Link.Secret has one for each channel and direction, the same at both ends.
//
// A group's secret is drawn by the publisher's node and handed to the members: the peers whose contract takes the channel. When a member
// leaves, the next one is drawn, given to all that remain, and confirmed by each; then the publisher turns to it, and then the members are
// told that the old one has had its day. Nobody is sent what it cannot open.
//
// # Limits
//
// A message is at most MaxMessage bytes, a greeting as large as package link allows. A handshake, from the first byte to Connected, takes
// at most Options.Handshake; at most 64 are under way at a listener, which remembers Options.Peers peers. One connection leads to a peer:
// a newer one replaces it. Waits between attempts grow from 50 ms to 5 s, with jitter. One node hands out a group's secret: a channel
// with publishers on several nodes has as many groups.
package control
