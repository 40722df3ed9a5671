// Package packet writes and reads what an Ethernet device carries: UDP datagrams behind their Ethernet, VLAN and IP headers; and it
// finds where to send them.
//
// The way out: a Resolver asks the kernel which way leads to a destination, and follows it as it changes. A Flow made of that becomes a
// Template. A sender leaves Template.Size bytes free before its payload, and Put fills them: a copy of the template with the lengths,
// the source port and the checksums of this packet.
//
// The way in: a Parser looks at a received frame and lends the payload within it, with who sent it; or it says by a Reason why not.
//
// Put and Parse allocate nothing and enter no kernel. The kernel's neighbour table stays the only one: a Resolver reads it and has the
// kernel ask, so that whatever learns, changes or pins a neighbour there holds here too.
//
// # Limits
//
// There is no IP fragmentation in either direction, no IPv4 option, no IPv6 extension header, and one VLAN tag at most. A Parser does not
// ask whether the destination is this host: the filter before it does. What it reads is believed only as far as it does not contradict
// itself; whoever may write to the network may write any source. A Resolver serves one interface and one goroutine.
package packet
