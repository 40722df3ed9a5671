package tlv

// usual is parse for the message that comes most: canonical, of the usual numbering, one TLV in standard form that
// fills it, its checksum not to be computed. It looks at no byte twice and calls nothing. ok is false for every
// other message, and for every fault: parse decides then. What it accepts, parse accepts with the same marks.
func (p *Parser) usual(b []byte) (mark marks, ok bool) {
	if len(b) < HeaderSize+2 || p.Dialect == Packed || p.Numbering != From1 {
		return 0, false
	}
	head, size, t, n := le.Uint64(b), le.Uint32(b[24:]), Type(b[HeaderSize]), int(b[HeaderSize+1])
	domain, fixed := Domain(head>>32), &fixedSizes[0][t]
	if head&0xFF00_FFFF_FFFF != Version<<40|Magic || int(size) != len(b)-HeaderSize || int(size) != 2+n || t == 0 || t == TypeExtended ||
		domain == 0 || domain > System || fixed[0] != 0 && n != int(fixed[0]) && n != int(fixed[1]) {
		return 0, false
	}
	if len(b) > min(p.limit(), detectLimit) || !p.AnySource && !Source(head>>48).Known(From1) || p.Checksums.of(domain) != PolicySkip {
		return 0, false
	}
	mark = marks(Aligned) | marks(From1)<<numberingShift | marks(domain)<<domainShift
	if le.Uint32(b[28:]) == 0 {
		mark |= marks(ChecksumUnset) << checksumShift
	}
	return mark, true
}
