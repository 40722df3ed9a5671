package tlv

// Parser turns bytes into Messages. The zero Parser is ready: any dialect, From1, default policies, 1 MiB.
// It is read-only while parsing and may be shared.
type Parser struct {
	Dialect    Dialect   // 0 recognises it per message
	Numbering  Numbering // of domains and sources
	Checksums  Policies
	MaxMessage int  // whole message in bytes, 0 is DefaultMessage
	AnySource  bool // let sources pass that are not in the table
}

// Parse checks a slice that must be exactly one message. On error the Message still gives the header, from 32 bytes
// with the right magic on, and the TLVs in front of the fault. Errors are *Error.
func (p *Parser) Parse(b []byte) (Message, error) {
	if mark, ok := p.usual(b); ok {
		return Message{b, mark}, nil
	}
	mark, n, kind, at := p.parse(b)
	if kind == 0 && n == len(b) {
		return Message{b, mark}, nil
	}
	if kind == 0 {
		kind, at = KindTrailing, n
	}
	return Message{cut(b, n), mark}, &Error{Kind: kind, Offset: int64(at)}
}

// Next checks the first message in b and returns what follows it. On error rest is b.
func (p *Parser) Next(b []byte) (m Message, rest []byte, err error) {
	mark, n, kind, at := p.parse(b)
	if kind != 0 {
		return Message{cut(b, n), mark}, b, &Error{Kind: kind, Offset: int64(at)}
	}
	return Message{b[:n:n], mark}, b[n:], nil
}

// Parse checks b with the zero Parser.
func Parse(b []byte) (Message, error) {
	var p Parser
	return p.Parse(b)
}

// cut is what there is of a message of n bytes.
func cut(b []byte, n int) []byte { return b[:min(n, len(b)):min(n, len(b))] }

// parse checks the first message of b. n is its whole size, 0 when there is no header; at is the place of the fault.
func (p *Parser) parse(b []byte) (mark marks, n int, kind Kind, at int) {
	mark, n, kind, at = p.header(b)
	if kind != 0 {
		return mark, n, kind, at
	}
	if policy := p.Checksums.of(mark.domain()); policy != PolicySkip {
		state := CheckChecksum(b[:n])
		mark |= marks(state) << checksumShift
		if kind = policy.judge(state); kind != 0 {
			return mark, n, kind, 28
		}
	} else if le.Uint32(b[28:]) == 0 {
		mark |= marks(ChecksumUnset) << checksumShift
	}
	kind, at = check(b[HeaderSize:n], mark.dialect())
	return mark, n, kind, HeaderSize + at
}

// header checks everything up to the TLV area.
func (p *Parser) header(b []byte) (mark marks, n int, kind Kind, at int) {
	if len(b) < HeaderSize {
		return 0, 0, KindTooShort, len(b)
	}
	if le.Uint32(b) != Magic {
		return 0, 0, KindBadMagic, 0
	}
	size, dialect := le.Uint32(b[24:]), p.Dialect
	if dialect == 0 {
		dialect = Aligned
		if size > detectLimit && le.Uint32(b[8:]) <= detectLimit {
			dialect = Packed
		}
	}
	at = 24
	if dialect == Packed {
		size, at = le.Uint32(b[8:]), 8
	}
	mark = marks(dialect)
	if int64(size) > int64(p.limit()-HeaderSize) {
		return mark, HeaderSize, KindTooLarge, at
	}
	n = HeaderSize + int(size)
	if b[5] != Version {
		return mark, n, KindVersion, 5
	}
	numbering := p.Numbering
	if numbering == GuessNumbering {
		numbering = guess(b[4], b[HeaderSize:min(n, len(b))], dialect)
	}
	domain := numbering.Domain(b[4])
	mark |= marks(numbering)<<numberingShift | marks(domain)<<domainShift
	if domain == 0 {
		return mark, n, KindDomain, 4
	}
	if !p.AnySource && !Source(b[6]).Known(p.Numbering) {
		return mark, n, KindSource, 6
	}
	if n > len(b) {
		return mark, n, KindTruncated, at
	}
	return mark, n, 0, 0
}

func (p *Parser) limit() int {
	if p.MaxMessage > 0 {
		return p.MaxMessage
	}
	return DefaultMessage
}
