// Package trust says who a node is and whom it believes: the TLS configurations of all links, from three files.
//
// The life of one certificate: Open reads it with its key and the authorities, and refuses what no peer would believe. Server and Client
// make configurations that present it. Every handshake takes what was loaded last, so a file that is replaced counts from the next
// handshake on, and connections that stand go on. A replacement that does not hold together is told once, and the old one stays.
//
// Both sides show a certificate and both sides check: that it comes from an authority of the CA file, that it is valid now and made for
// this use, that one of its names is allowed, that both speak TLS 1.3 and the same protocol. Whatever fails is a Refusal with its Reason.
//
// # Names
//
// A certificate's names are its DNS names, IP addresses and URIs; its common name is none. Allow and what Client expects are patterns:
//
//	node-a.example          this DNS name, in any case
//	*.example               a DNS name with exactly one label more
//	10.1.0.0/16, 10.1.2.3   an IP address in this network, or this one
//	spiffe://pulse/node/a   this URI, to the letter
//	spiffe://pulse/node/*   a URI with exactly one segment in that place
//	*                       whoever the authorities vouch for
//
// A name with a star in a certificate stands for nobody: a node has a name.
//
// # Limits
//
// There are no revocation lists: a certificate is withdrawn by taking its authority out of the CA file, or its name out of Allow, and by
// lives of days. A CA file, a certificate and a key have at most 1 MiB each, a CA file at most 256 authorities. The files are looked at
// every Options.Poll. Sessions are not resumed.
package trust
