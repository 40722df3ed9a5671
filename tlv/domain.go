package tlv

// Domain is a relay domain by meaning, whatever number the wire uses for it.
// The values are those of From1. The zero Domain means unknown.
type Domain uint8

// The relay domains.
const (
	MarketData Domain = 1 + iota
	Signal
	Execution
	System
)

var domainNames = [...]string{"unknown", "market_data", "signal", "execution", "system"}

// String is the domain's snake_case name, "unknown" for none of the four.
func (d Domain) String() string {
	if int(d) < len(domainNames) {
		return domainNames[d]
	}
	return domainNames[0]
}

// Numbering is how a deployment numbers relay domains and sources.
type Numbering uint8

// Both numberings live at once, in one and the same original tree. Byte 4 alone is ambiguous: 1 is market data or
// signal. Only the TLV types tell, and only for messages that carry some.
const (
	From1          Numbering = iota // market data 1, signal 2, execution 3, system 4; the large source table
	From0                           // market data 0, signal 1, execution 2, system 3; the small source table
	GuessNumbering                  // per message, from the TLV types; From1 where they do not tell
)

// String is "from1", "from0" or "guess".
func (n Numbering) String() string {
	switch n {
	case From1:
		return "from1"
	case From0:
		return "from0"
	}
	return "guess"
}

// Domain is what relay_domain means in this numbering, 0 if nothing. GuessNumbering reads as From1.
func (n Numbering) Domain(relayDomain uint8) Domain {
	if n == From0 {
		relayDomain++ // 255 wraps to 0: unknown either way
	}
	if relayDomain <= uint8(System) {
		return Domain(relayDomain)
	}
	return 0
}

// RelayDomain is the wire number of d in this numbering. GuessNumbering writes as From1.
func (n Numbering) RelayDomain(d Domain) uint8 {
	if n == From0 {
		return uint8(d) - 1
	}
	return uint8(d)
}

// guess decides between the numberings for a message with this relay_domain and TLV area.
// Recovery requests say nothing: they carry the domain of the stream that has the gap.
func guess(relayDomain uint8, tlvs []byte, d Dialect) Numbering {
	if relayDomain == 0 {
		return From0
	}
	w := Walker{b: tlvs, dialect: d}
	for t, ok := w.Next(); ok; t, ok = w.Next() {
		want := t.Type.Domain()
		if want == 0 || t.Type >= TypeRecoveryRequest {
			continue
		}
		if From1.Domain(relayDomain) != want && From0.Domain(relayDomain) == want {
			return From0
		}
		return From1
	}
	return From1
}
