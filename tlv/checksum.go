package tlv

import "hash/crc32"

// ChecksumState is what is known about a message's checksum.
type ChecksumState uint8

// The states. A Policy decides which are acceptable.
const (
	ChecksumUnchecked ChecksumState = iota // set, and nobody looked
	ChecksumOK                             // set and right
	ChecksumUnset                          // 0: the original's fast path never computes one
	ChecksumBad                            // set and wrong
)

// String is "unchecked", "ok", "unset" or "bad".
func (s ChecksumState) String() string {
	return [...]string{"unchecked", "ok", "unset", "bad"}[s&3]
}

// Policy is what a Parser asks of checksums in one domain.
type Policy uint8

// The policies. The zero Policy means the domain's default.
const (
	PolicyDefault Policy = iota
	PolicySkip           // magic and lengths only: nothing is computed, everything passes
	PolicyLenient        // unset passes, bad does not
	PolicyStrict         // unset and bad are refused
)

// Policies holds a Policy per domain. The zero value is: market data PolicySkip, signal and execution PolicyStrict,
// system PolicyLenient.
//
// The original enforces checksums in signal and execution by design, yet its fast path writes 0 always. To read such
// streams use OriginalPolicies.
type Policies struct{ MarketData, Signal, Execution, System Policy }

// OriginalPolicies accepts what the original really sends: unset checksums everywhere, bad ones nowhere but in market data.
var OriginalPolicies = Policies{Signal: PolicyLenient, Execution: PolicyLenient}

// of is the policy in force for d, never PolicyDefault.
func (p *Policies) of(d Domain) Policy {
	var chosen, fallback Policy
	switch d {
	case MarketData:
		chosen, fallback = p.MarketData, PolicySkip
	case Signal:
		chosen, fallback = p.Signal, PolicyStrict
	case Execution:
		chosen, fallback = p.Execution, PolicyStrict
	default:
		chosen, fallback = p.System, PolicyLenient
	}
	if chosen == PolicyDefault {
		return fallback
	}
	return chosen
}

// judge turns a state into a fault under the policy.
func (p Policy) judge(s ChecksumState) Kind {
	switch {
	case p == PolicySkip:
		return 0
	case s == ChecksumBad:
		return KindBadChecksum
	case s == ChecksumUnset && p == PolicyStrict:
		return KindUnset
	}
	return 0
}

// Checksum is the CRC-32 (IEEE) of a message: every byte but the checksum field's own four.
// msg has at least HeaderSize bytes.
func Checksum(msg []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(msg[:28]), crc32.IEEETable, msg[HeaderSize:])
}

// CheckChecksum computes the state of a message of at least HeaderSize bytes.
func CheckChecksum(msg []byte) ChecksumState {
	switch le.Uint32(msg[28:]) {
	case 0:
		return ChecksumUnset
	case Checksum(msg):
		return ChecksumOK
	}
	return ChecksumBad
}
