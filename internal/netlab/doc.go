// Package netlab makes small networks of this machine's kernel: hosts that are network namespaces, joined by virtual Ethernet, whose
// links lose, cut and go down on command. Tests, measurements and the demo use them; it takes root on Linux and the ip command.
//
// A datagram's way: a socket opened within In, or by a program that Command starts, sends it to another host's address; the veth pair,
// or with more than two hosts a bridge in a namespace of its own, carries it; before a socket gets it, the receiving host's input
// filter (nft) drops it or not, and counts what it drops. Nothing enters or leaves a lab.
//
// A lab's namespaces are called pulse-PID-HOST, and ip-netns(8) knows them by that name. They are held by a lock of the process that
// made them: Close removes them, and if the process was killed, the next New of any process does.
//
// Limits: the filter sees what the kernel hands to sockets. It does not see what an XDP program takes before that, and a batch of
// segments (UDP_SEGMENT) is one packet to it. There is no delay and no reordering here: put internal/simnet in the way.
package netlab
