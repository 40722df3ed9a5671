package quic

import (
	"errors"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/seal"
)

// room is what a datagram takes on a path that was not looked at yet: the least that QUIC works with, less the headers of a packet and of a
// frame.
const room = 1200 - 50

// split is a batch whose frames go as datagrams, and the rest by the stream.
type split struct {
	datagrams [][]byte
	slab      []byte
	room      int // of a datagram, as far as is known; 0: room
}

func (p *split) reset() { p.datagrams, p.slab = p.datagrams[:0], p.slab[:0] }

// apart takes the envelopes of frames out of a batch of whole ones. What is left goes by the stream: signs of life, confirmations, and
// frames that no datagram has room for.
func (p *split) apart(batch []byte) (rest []byte) {
	rest = batch[:0]
	limit := orDefault(p.room, room)
	var h seal.Header
	for len(batch) > 0 {
		size := seal.HeaderSize + int(batch[20]) + int(batch[21])<<8
		one := batch[:size]
		batch = batch[size:]
		if h.Parse(one) != nil || h.Kind != seal.Data || !p.cut(&h, one, limit) {
			rest = append(rest, one...)
		}
	}
	return rest
}

// cut makes datagrams of an envelope. It reports false, and has made none, when that cannot be.
func (p *split) cut(h *seal.Header, one []byte, limit int) bool {
	if len(one) <= limit {
		p.put(h, one[seal.HeaderSize:])
		return true
	}
	if h.Codec != 0 {
		return false
	}
	body, trace := one[seal.HeaderSize:], []byte(nil)
	if h.Traced {
		body, trace = body[:len(body)-seal.TraceSize], body[len(body)-seal.TraceSize:]
	}
	limit -= seal.HeaderSize
	first := limit - len(trace)
	for rest, most := body, first; len(rest) > 0; most = limit {
		part, _ := seal.Cut(rest, most)
		if len(part) > most {
			return false
		}
		rest = rest[len(part):]
	}
	for most := first; len(body) > 0; most = limit {
		part, n := seal.Cut(body, most)
		p.put(h, part, trace...)
		h.Seq, h.Traced, trace = h.Seq+uint64(n), false, nil // the trace is about the first frame
		body = body[len(part):]
	}
	return true
}

func (p *split) put(h *seal.Header, body []byte, behind ...byte) {
	at := len(p.slab)
	h.Length = len(body) + len(behind)
	p.slab = append(p.slab, make([]byte, seal.HeaderSize)...)
	h.Put(p.slab[at:])
	p.slab = append(append(p.slab, body...), behind...)
	p.datagrams = append(p.datagrams, p.slab[at:len(p.slab):len(p.slab)])
}

// scatter sends datagrams. It waits while the library has as many as it takes, which is how a network that is full holds up a publisher's
// ring and nothing else.
func (n *lane) scatter(s *session) error {
	for _, d := range n.datagrams {
		err := s.conn.SendDatagram(d)
		var large *quic.DatagramTooLargeError
		switch {
		case err == nil:
			n.link.tally.datagramsOut.Add(1)
		case errors.As(err, &large): // the path is narrower than was thought: what goes next is smaller, and this is missing there
			n.room = int(large.MaxDatagramPayloadSize)
			n.link.tally.datagramsUnsent.Add(1)
		default:
			return err
		}
	}
	return nil
}

// gather gives the lanes what arrives in datagrams, until the session ends.
func (s *session) gather() error {
	for {
		d, err := s.conn.ReceiveDatagram(s.ctx)
		if err != nil {
			return err
		}
		s.link.tally.datagramsIn.Add(1)
		var h seal.Header
		n := (*lane)(nil)
		if h.Parse(d) == nil && h.Kind == seal.Data {
			n = s.lane(h.Channel)
		}
		if n == nil || !n.believes() {
			s.link.tally.datagramsOdd.Add(1)
			continue
		}
		k, busy, err := n.took(s, d)
		switch {
		case err != nil:
			return err
		case busy:
			s.link.tally.datagramsBusy.Add(1)
		case k != len(d):
			s.link.tally.datagramsOdd.Add(1)
		}
	}
}

// believes reports whether frames may come in datagrams: on a best-effort channel, after the greeting.
func (n *lane) believes() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.greeted && n.peer.Flows(n.channel.Name) && n.channel.Reliability == bestEffort
}
