package control

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A message, after the greetings (docs/wire.md). Integers are little-endian.
//
//	0  length u32 of the body · kind u8 · zeroes 3
//	8  body
const (
	messageHead = 8
	MaxMessage  = 512 // bytes of a body
	maxChannel  = 40  // bytes of a channel's name
	maxReason   = 256 // bytes of an ending's reason
	rootIDSize  = 16
	secretSize  = 32
)

type kind uint8

const (
	beatKind   kind = iota + 1 // sent 8, echo 8, held 8
	rootKind                   // id 16: the root secret held for the peer; zeroes: none
	keyKind                    // number 8, secret 32, channel: a group's secret
	tookKind                   // number 8, channel: it can be used
	turnedKind                 // number 8, channel: it is used
	endKind                    // why the link is closed, as text
	kinds
)

// message is one that arrived, or will be sent. Which fields count depends on the kind.
type message struct {
	kind    kind
	beat    beat
	root    [rootIDSize]byte
	number  uint64
	secret  [secretSize]byte
	channel string
	reason  string
}

// beat says when it was sent by the sender's clock, which beat of the other side came last, and how long ago that was.
type beat struct {
	sent int64 // ns of the sender's clock
	echo int64 // the other side's sent; 0: none came yet
	held int64 // ns since it came
}

func (m *message) append(b []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, byte(m.kind), 0, 0, 0)
	le := binary.LittleEndian
	switch m.kind {
	case beatKind:
		b = le.AppendUint64(b, uint64(m.beat.sent))
		b = le.AppendUint64(b, uint64(m.beat.echo))
		b = le.AppendUint64(b, uint64(m.beat.held))
	case rootKind:
		b = append(b, m.root[:]...)
	case keyKind:
		b = le.AppendUint64(b, m.number)
		b = append(b, m.secret[:]...)
		b = append(b, m.channel...)
	case tookKind, turnedKind:
		b = le.AppendUint64(b, m.number)
		b = append(b, m.channel...)
	case endKind:
		b = append(b, m.reason[:min(len(m.reason), maxReason)]...)
	}
	le.PutUint32(b[at:], uint32(len(b)-at-messageHead))
	return b
}

// parseHead checks what comes before a body.
func parseHead(head []byte) (k kind, size int, err error) {
	n := binary.LittleEndian.Uint32(head)
	k = kind(head[4])
	switch {
	case n > MaxMessage:
		return 0, 0, fmt.Errorf("%w: a message of %d bytes, at most %d", ErrMessage, n, MaxMessage)
	case k == 0 || k >= kinds || head[5]|head[6]|head[7] != 0:
		return 0, 0, fmt.Errorf("%w: a message of kind %d", ErrMessage, k)
	}
	return k, int(n), nil
}

// parseBody takes a body apart. It keeps nothing of b.
func parseBody(k kind, b []byte) (m message, err error) {
	m.kind = k
	le := binary.LittleEndian
	fixed := [kinds]int{beatKind: 24, rootKind: rootIDSize, keyKind: 8 + secretSize, tookKind: 8, turnedKind: 8}[k]
	bad := func() (message, error) {
		return message{}, fmt.Errorf("%w: a message of kind %d with %d bytes", ErrMessage, k, len(b))
	}
	if len(b) < fixed {
		return bad()
	}
	rest := b[fixed:]
	switch k {
	case beatKind:
		m.beat = beat{int64(le.Uint64(b)), int64(le.Uint64(b[8:])), int64(le.Uint64(b[16:]))}
		if len(rest) != 0 || m.beat.held < 0 {
			return bad()
		}
	case rootKind:
		copy(m.root[:], b)
		if len(rest) != 0 {
			return bad()
		}
	case keyKind, tookKind, turnedKind:
		if len(rest) == 0 || len(rest) > maxChannel {
			return bad()
		}
		m.number, m.channel = le.Uint64(b), string(rest)
		if k == keyKind {
			copy(m.secret[:], b[8:])
		}
	case endKind:
		if len(rest) > maxReason {
			return bad()
		}
		m.reason = string(rest)
	}
	return m, nil
}

// readMessage reads one message.
func readMessage(r io.Reader) (message, error) {
	var buf [messageHead + MaxMessage]byte
	if _, err := io.ReadFull(r, buf[:messageHead]); err != nil {
		return message{}, err
	}
	k, size, err := parseHead(buf[:])
	if err != nil {
		return message{}, err
	}
	body := buf[messageHead : messageHead+size]
	if _, err := io.ReadFull(r, body); err != nil {
		return message{}, err
	}
	m, err := parseBody(k, body)
	clear(body)
	return m, err
}
