package packet

// Sizes of headers. A frame begins with its Ethernet header; the device adds and takes the check sequence behind it.
//
//	┌ Ethernet ────────────────────────┐┌ 802.1Q ─────┐┌ IPv4 or IPv6 ┐┌ UDP ────────────────────────┐
//	│ to 6 │ from 6 │ type 2           ││ tag 2 type 2││ 20 or 40     ││ from 2│to 2│length 2│check 2│ payload
//	└──────────────────────────────────┘└─ if tagged ─┘└──────────────┘└─────────────────────────────┘
const (
	EthernetSize = 14
	VLANSize     = 4
	IPv4Size     = 20
	IPv6Size     = 40
	UDPSize      = 8

	// MaxHeaderSize is the most that stands before a payload.
	MaxHeaderSize = EthernetSize + VLANSize + IPv6Size + UDPSize

	// MaxPayload4 and MaxPayload6 are what the length fields can say. The MTU says less.
	MaxPayload4 = 1<<16 - 1 - IPv4Size - UDPSize
	MaxPayload6 = 1<<16 - 1 - UDPSize
)

const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100

	protocolUDP = 17

	// Where a packet's own values go, from the start of the IP header or of the UDP header.
	ip4Length   = 2
	ip4Fragment = 6
	ip4TTL      = 8
	ip4Protocol = 9
	ip4Checksum = 10
	ip4Source   = 12
	ip4Dest     = 16
	ip6Length   = 4
	ip6Next     = 6
	ip6Hops     = 7
	ip6Source   = 8
	ip6Dest     = 24
	udpSource   = 0
	udpDest     = 2
	udpLength   = 4
	udpChecksum = 6

	dontFragment = 0x4000
	isFragment   = 0x3fff // more fragments, or an offset

	maxVLAN     = 4094
	maxPriority = 7
	maxDSCP     = 63
	defaultTTL  = 64
	groupTTL    = 1
)

// IPv6 headers that may stand before UDP (IANA, "IPv6 Extension Header Types").
const (
	nextHopByHop    = 0
	nextRouting     = 43
	nextFragment    = 44
	nextAuth        = 51
	nextDestination = 60
	nextMobility    = 135
	nextHIP         = 139
	nextShim6       = 140
)
