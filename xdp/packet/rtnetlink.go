package packet

import (
	"encoding/binary"
	"net/netip"
)

// What of rtnetlink(7) is spoken here. Numbers are in the host's byte order, addresses in the wire's; everything is padded to 4 bytes.
//
//	┌ message ───────────────────────────┐┌ attribute ──────────┐
//	│ length 4│type 2│flags 2│seq 4│port 4││ length 2│type 2│value │ …
//	└────────────────────────────────────┘└─────────────────────┘
//	                   └─ a body of the message's type between them
const (
	messageSize   = 16
	attributeSize = 4
	attributeKind = 0x3fff // the rest are flags

	linkSize      = 16 // family 1, pad 1, type 2, index 4, flags 4, change 4
	routeSize     = 12 // family 1, dst_len 1, src_len 1, tos 1, table 1, protocol 1, scope 1, type 1, flags 4
	neighbourSize = 12 // family 1, pad 3, index 4, state 2, flags 1, type 1

	familyIPv4 = 2
	familyIPv6 = 10
)

// Types of messages.
const (
	kindError        = 2
	kindNewLink      = 16
	kindDelLink      = 17
	kindGetLink      = 18
	kindNewAddr      = 20
	kindDelAddr      = 21
	kindNewRoute     = 24
	kindDelRoute     = 25
	kindGetRoute     = 26
	kindNewNeighbour = 28
	kindDelNeighbour = 29
	kindGetNeighbour = 30
	kindNewRule      = 32
	kindDelRule      = 33
)

// Flags of requests.
const (
	flagRequest = 0x1
	flagAck     = 0x4
	flagCreate  = 0x400

	lookupTable   = 0x1000 // RTM_F_LOOKUP_TABLE: say in which table the route was found
	neighbourUsed = 0x1    // NTF_USE: as if a packet had to go there
	neighbourBy   = 0x8    // NTF_PROXY: not a neighbour, but one that is answered for
)

// Groups that tell of changes (RTNLGRP_).
var groups = []int{
	1,       // links
	3,       // neighbours
	5, 7, 8, // addresses, routes and rules of IPv4
	9, 11, 19, // and of IPv6
}

// Attributes.
const (
	linkMAC  = 1 // IFLA_ADDRESS
	linkName = 3 // IFLA_IFNAME
	linkMTU  = 4 // IFLA_MTU

	routeDest   = 1  // RTA_DST
	routeOut    = 4  // RTA_OIF
	routeHop    = 5  // RTA_GATEWAY
	routeSource = 7  // RTA_PREFSRC
	routeMetric = 8  // RTA_METRICS, attributes themselves
	routeTable  = 15 // RTA_TABLE
	routeVia    = 18 // RTA_VIA: family 2, address
	metricMTU   = 2  // RTAX_MTU

	neighbourDest = 1 // NDA_DST
	neighbourMAC  = 2 // NDA_LLADDR
)

// Types of links (ARPHRD_) and their flags (IFF_).
const (
	linkEthernet = 1
	linkLoopback = 772
	linkIsUp     = 0x1
	linkHasLower = 0x10000 // the carrier is there
)

// Types of routes (RTN_).
const (
	routeUnicast   = 1
	routeLocal     = 2
	routeBroadcast = 3
	routeMulticast = 5
)

// States of neighbours (NUD_). Those that have an Ethernet address which may be used:
const neighbourValid = neighbourReachable | neighbourStale | neighbourDelay | neighbourProbe | neighbourNoARP | neighbourPermanent

// The states one by one.
const (
	neighbourIncomplete = 0x01
	neighbourReachable  = 0x02
	neighbourStale      = 0x04
	neighbourDelay      = 0x08
	neighbourProbe      = 0x10
	neighbourFailed     = 0x20
	neighbourNoARP      = 0x40
	neighbourPermanent  = 0x80
)

// message is one message within the bytes that it came in.
type message struct {
	kind uint16
	seq  uint32
	body []byte
}

// nextMessage takes the first message off b. It is not ok where there is none, or none that holds together.
func nextMessage(b []byte) (m message, rest []byte, ok bool) {
	if len(b) < messageSize {
		return m, nil, false
	}
	n := uint64(binary.NativeEndian.Uint32(b))
	if n < messageSize || n > uint64(len(b)) {
		return m, nil, false
	}
	m = message{binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:]), b[messageSize:n]}
	return m, b[min(padded(int(n)), len(b)):], true
}

// errno is what an error message says; 0 is an acknowledgement.
func (m *message) errno() (e int32, ok bool) {
	if m.kind != kindError || len(m.body) < 4 {
		return 0, false
	}
	return int32(binary.NativeEndian.Uint32(m.body)), true
}

// attributes calls f for each attribute behind the first skip bytes of b, up to what does not hold together.
func attributes(b []byte, skip int, f func(kind uint16, value []byte)) {
	for b = b[min(skip, len(b)):]; len(b) >= attributeSize; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < attributeSize || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&attributeKind, b[attributeSize:n])
		b = b[min(padded(n), len(b)):]
	}
}

func padded(n int) int { return (n + 3) &^ 3 }

// link is an interface as the kernel describes it.
type link struct {
	index int32
	kind  uint16
	flags uint32
	mac   MAC
	mtu   uint32
	name  string
}

// readLink does not take what a bridge says of its ports, which is of another family.
func readLink(b []byte) (l link, ok bool) {
	if len(b) < linkSize || b[0] != 0 {
		return l, false
	}
	l.kind, l.index = binary.NativeEndian.Uint16(b[2:]), int32(binary.NativeEndian.Uint32(b[4:]))
	l.flags = binary.NativeEndian.Uint32(b[8:])
	attributes(b, linkSize, func(kind uint16, v []byte) {
		switch {
		case kind == linkMAC && len(v) == len(l.mac):
			l.mac = MAC(v)
		case kind == linkMTU && len(v) == 4:
			l.mtu = binary.NativeEndian.Uint32(v)
		case kind == linkName && len(v) > 0:
			l.name = string(v[:len(v)-1])
		}
	})
	return l, l.index > 0
}

// neighbour is an entry of the kernel's neighbour table.
type neighbour struct {
	index int32
	state uint16
	addr  netip.Addr
	mac   MAC
	named bool // it has a MAC
}

func readNeighbour(b []byte) (n neighbour, ok bool) {
	if len(b) < neighbourSize || b[10]&neighbourBy != 0 {
		return n, false
	}
	n.index, n.state = int32(binary.NativeEndian.Uint32(b[4:])), binary.NativeEndian.Uint16(b[8:])
	attributes(b, neighbourSize, func(kind uint16, v []byte) {
		switch {
		case kind == neighbourDest:
			n.addr = readAddr(uint16(b[0]), v)
		case kind == neighbourMAC && len(v) == len(n.mac):
			n.mac, n.named = MAC(v), true
		}
	})
	return n, n.index > 0 && n.addr.IsValid()
}

// route is what the kernel answers when asked the way.
type route struct {
	kind   uint8
	table  uint32
	out    int32      // the interface
	hop    netip.Addr // not valid where the destination itself is the next hop
	source netip.Addr
	mtu    uint32 // 0 means the link's
}

func readRoute(b []byte) (r route, ok bool) {
	if len(b) < routeSize {
		return r, false
	}
	family := uint16(b[0])
	r.table, r.kind = uint32(b[4]), b[7]
	attributes(b, routeSize, func(kind uint16, v []byte) {
		switch {
		case kind == routeOut && len(v) == 4:
			r.out = int32(binary.NativeEndian.Uint32(v))
		case kind == routeTable && len(v) == 4:
			r.table = binary.NativeEndian.Uint32(v)
		case kind == routeHop:
			r.hop = readAddr(family, v)
		case kind == routeVia && len(v) > 2:
			r.hop = readAddr(binary.NativeEndian.Uint16(v), v[2:])
		case kind == routeSource:
			r.source = readAddr(family, v)
		case kind == routeMetric:
			attributes(v, 0, func(kind uint16, v []byte) {
				if kind == metricMTU && len(v) == 4 {
					r.mtu = binary.NativeEndian.Uint32(v)
				}
			})
		}
	})
	return r, r.out > 0
}

// readAddr is the zero Addr for what is not an address of the family.
func readAddr(family uint16, b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	if family == familyIPv4 && a.Is4() || family == familyIPv6 && a.Is6() {
		return a
	}
	return netip.Addr{}
}

func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return familyIPv4
	}
	return familyIPv6
}

// request is a message on its way to the kernel.
type request []byte

// newRequest begins one with room for its header, and its body.
func newRequest(kind, flags uint16, body ...byte) request {
	b := make(request, messageSize, messageSize+len(body)+64)
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flagRequest|flags)
	return append(b, body...)
}

// with appends an attribute.
func (b request) with(kind uint16, value []byte) request {
	b = binary.NativeEndian.AppendUint16(b, uint16(attributeSize+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, padded(len(value))-len(value))...)
}

// number writes the length and the number that the answer will carry.
func (b request) number(seq uint32) {
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint32(b[8:], seq)
}

func word(v int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

// askLink asks for the interface called name.
func askLink(name string) request {
	return newRequest(kindGetLink, 0, make([]byte, linkSize)...).with(linkName, append([]byte(name), 0))
}

// askIndex asks for the interface of that number.
func askIndex(index int32) request {
	return newRequest(kindGetLink, 0, append([]byte{0, 0, 0, 0}, append(word(index), make([]byte, 8)...)...)...)
}

// askRoute asks for the way to a destination, through the interface unless that is loopback: which interface the kernel's own addresses
// are on differs between IPv4 and IPv6.
func askRoute(l *link, to netip.Addr) request {
	body := append([]byte{familyOf(to), byte(to.BitLen()), 0, 0, 0, 0, 0, 0}, word(lookupTable)...)
	q := newRequest(kindGetRoute, 0, body...).with(routeDest, to.AsSlice())
	if l.kind == linkLoopback {
		return q
	}
	return q.with(routeOut, word(l.index))
}

// askNeighbour asks for one entry (since Linux 5.0).
func askNeighbour(index int32, hop netip.Addr) request {
	return newRequest(kindGetNeighbour, 0, neighbourBody(index, hop, 0)...).with(neighbourDest, hop.AsSlice())
}

// useNeighbour tells the kernel that somebody has something for that neighbour.
func useNeighbour(index int32, hop netip.Addr) request {
	return newRequest(kindNewNeighbour, flagAck|flagCreate, neighbourBody(index, hop, neighbourUsed)...).with(neighbourDest, hop.AsSlice())
}

func neighbourBody(index int32, hop netip.Addr, flags byte) []byte {
	body := append([]byte{familyOf(hop), 0, 0, 0}, word(index)...)
	return append(body, 0, 0, flags, 0)
}
