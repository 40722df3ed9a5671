package tlv

import "bytes"

// How a Stream tells messages from garbage.
//
// The simple way is to check the magic and to take payload_size bytes. It loses messages: one cut in the middle swallows
// the head of its successor, and a flipped bit in payload_size swallows everything up to 1 MiB. Scanning for the magic at
// every doubt is no better: payloads may contain it. So a candidate (magic, plausible size, all bytes present) is
//
//   - proved when its checksum is set and right: taken, whatever is inside;
//   - otherwise taken when no other message seems to start inside it: then nothing can be lost. Its faults, a bad
//     checksum among them, are reported with it;
//   - with another start inside: taken only if it is sound, its checksum is unset, and it is followed by a message or the
//     end of the stream. Else the candidate is garbage up to the next magic, and the run of garbage is reported.
//
// Every answer depends on the bytes alone, not on how they arrived; where the answer lies in bytes not yet here, it is
// kindMore. A sound message waits for bytes behind it only if its checksum is unset and it holds the beginning of
// another message, or ends in the first bytes of a magic.

// kindMore is an answer inside a Stream, never in an Error.
const kindMore Kind = 255

var magicBytes = []byte{0xEF, 0xBE, 0xAD, 0xDE}

// smallMessage is the size below which a candidate is always worth hashing.
const smallMessage = 4096

// judge looks at the candidate at the start of b. n is the bytes it takes, prefix included; n 0 with a kind rejects it.
func (s *Stream) judge(b []byte) (m Message, n int, kind Kind, at int) {
	prefix := s.framing.prefix()
	if len(b) < prefix+4 {
		return m, 0, s.partial(b), 0
	}
	if !bytes.Equal(b[prefix:prefix+4], magicBytes) {
		return m, 0, KindBadMagic, 0
	}
	msg := b[prefix:]
	mark, size, kind, at := s.parser.header(msg)
	switch {
	case kind == KindTooShort:
		return m, 0, s.unless(KindTooShort), 0
	case kind == KindTooLarge:
		return m, 0, kind, 0
	case prefix > 0 && s.framing.length(b) != uint32(size):
		return m, 0, KindFrame, 0
	case !s.afford(size):
		return m, 0, KindTooLarge, 0
	case size > len(msg):
		return m, 0, s.unless(KindTruncated), 0
	}
	state := CheckChecksum(msg[:size])
	mark |= marks(state) << checksumShift
	m = Message{msg[:size:size], mark}
	kind, at = s.faults(m, kind, at)
	if state == ChecksumOK {
		return m, prefix + size, kind, at
	}
	switch s.unproved(b, prefix+size, kind == 0 && state == ChecksumUnset) {
	case kindMore:
		return Message{}, 0, kindMore, 0
	case KindBadMagic:
		if kind == 0 {
			kind = KindTruncated // sound in itself, but cut: the rest is another message's
		}
		s.debt += size
		return Message{}, 0, kind, 0
	}
	return m, prefix + size, kind, at
}

// faults finds what is wrong with a delimited message; headerKind comes from the header.
func (s *Stream) faults(m Message, headerKind Kind, headerAt int) (Kind, int) {
	if headerKind != 0 {
		return headerKind, headerAt
	}
	if m.Checksum() == ChecksumBad {
		return KindBadChecksum, 28
	}
	policy := s.parser.Checksums.of(m.Domain())
	if kind := policy.judge(m.Checksum()); kind != 0 {
		return kind, 28
	}
	kind, at := check(m.raw[HeaderSize:], m.Dialect())
	if kind != 0 {
		at += HeaderSize
	}
	return kind, at
}

// unproved decides about a candidate b[:n] without a right checksum: 0 takes it, KindBadMagic rejects it.
func (s *Stream) unproved(b []byte, n int, sound bool) Kind {
	prefix := s.framing.prefix()
	from := prefix + 1 // the first magic of another candidate
	end := n + prefix  // a magic from here on belongs to the successor
	if sound {
		end = n // a frame's length that is right so far is believed
	}
	for from < end {
		i := bytes.Index(b[from:min(end+3, len(b))], magicBytes)
		if i < 0 {
			break
		}
		from += i
		if len(b) < from+8 {
			if !s.ended {
				return kindMore
			}
			break
		}
		if s.plausible(b, from) {
			if sound {
				return s.followed(b, n)
			}
			return KindBadMagic
		}
		from++
	}
	waits := prefix > 0 && !sound || prefix == 0 && endsInMagic(b[:n])
	if waits && !s.ended && len(b) < end+3 {
		return kindMore
	}
	return 0
}

// plausible reports whether a message seems to start with the magic at b[at:]: eight bytes are enough to tell.
func (s *Stream) plausible(b []byte, at int) bool {
	domain, version := b[at+4], b[at+5]
	if version != Version || domain > uint8(System) {
		return false
	}
	prefix := s.framing.prefix()
	if prefix == 0 {
		return true
	}
	length := s.framing.length(b[at-prefix:])
	return length >= HeaderSize && int64(length) <= int64(s.parser.limit())
}

// followed decides about a sound candidate of n bytes that holds another start: a successor proves it.
func (s *Stream) followed(b []byte, n int) Kind {
	next := b[n:]
	if p := s.framing.prefix(); len(next) >= p {
		next = next[p:]
	} else {
		next = nil
	}
	if len(next) < 4 && !s.ended {
		return kindMore
	}
	if have := min(4, len(next)); bytes.Equal(next[:have], magicBytes[:have]) {
		return 0
	}
	return KindBadMagic
}

// endsInMagic reports whether the last one to three bytes of b could begin a magic.
func endsInMagic(b []byte) bool {
	for k := 1; k <= 3 && k <= len(b); k++ {
		if bytes.Equal(b[len(b)-k:], magicBytes[:k]) {
			return true
		}
	}
	return false
}

// partial answers for fewer bytes than prefix and magic: more, or garbage already, or the ragged end of the stream.
func (s *Stream) partial(b []byte) Kind {
	prefix := s.framing.prefix()
	if len(b) > prefix && !bytes.Equal(b[prefix:], magicBytes[:len(b)-prefix]) {
		return KindBadMagic
	}
	if len(b) == 0 {
		return kindMore
	}
	return s.unless(KindTooShort)
}

// unless is kindMore while the stream lasts, and kind after its end.
func (s *Stream) unless(kind Kind) Kind {
	if s.ended {
		return kind
	}
	return kindMore
}

// afford bounds the hashing a hostile stream can cause: overlapping candidates of 1 MiB every few bytes would cost a
// million hashed bytes each. Once eight longest messages were hashed in vain, only small candidates are looked at until
// skipping has paid the debt off, 64 bytes for every byte skipped.
func (s *Stream) afford(size int) bool {
	return size <= smallMessage || s.debt <= 8*s.parser.limit()
}

// pass skips from a rejected candidate to the next place that could be one.
func (s *Stream) pass(kind Kind) {
	prefix := s.framing.prefix()
	held := s.buf[s.r:s.w]
	n := len(held)
	if from := prefix + 1; from < len(held) {
		if i := bytes.Index(held[from:], magicBytes); i >= 0 {
			n = from + i - prefix
		} else if !s.ended {
			n = max(1, len(held)-prefix-3) // a magic may have begun in the last bytes
		}
	} else if !s.ended {
		n = 1
	}
	if s.skip.Bytes == 0 {
		s.skip = Error{Kind: kind, Offset: s.base + int64(s.r)}
	}
	s.skip.Bytes += int64(n)
	s.stats.Skipped += uint64(n)
	s.debt = max(0, s.debt-64*n)
	s.r += n
}
