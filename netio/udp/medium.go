package udp

import (
	"errors"
	"net/netip"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// What wire and line do where a medium carries their datagrams, and no socket.

// mediumSpare is how many datagrams a medium must have room for while more is put together: those of one turn.
const mediumSpare = 8

// dialMedium is dial over a medium.
func dialMedium(o *SenderOptions, l Dial) *wire {
	w := &wire{medium: l.Medium, far: l.To, room: min(room(o.MTU, l.To.Addr()), l.Medium.Room())}
	w.closed = true
	return w
}

// toward is the address that to stands for on this line.
func (w *wire) toward(to *sys.Address) netip.AddrPort {
	if to == nil || to == w.to {
		return w.far
	}
	return to.AddrPort()
}

// flushMedium is flush over a medium.
func (s *Sender) flushMedium(w *wire) (done bool, err error) {
	waiting, err := w.medium.Flush()
	if err != nil {
		return false, onLine(s.options.Channel, int(w.path), err)
	}
	if n, why := w.medium.Refused(); why != nil {
		w.calm = s.clock.now + s.options.Liveness
		if errors.Is(why, sys.ErrTooBig) {
			s.shrink(w)
		}
		s.told(w, why)
		s.drop(Unsendable, uint64(n))
	} else if w.trouble && s.clock.now >= w.calm {
		w.trouble = false
		s.tell(Event{Kind: Recovered, Peer: w.far})
	}
	return waiting == 0, nil
}

// oneOver is one over a medium. The datagram counts as waiting, so that flushMedium looks after what becomes of it.
func (s *Sender) oneOver(w *wire, h *seal.Header, run []byte) bool {
	out := w.medium.Place(w.far, seal.HeaderSize+len(run))
	if out == nil {
		return false
	}
	h.Put(out)
	copy(out[seal.HeaderSize:], run)
	w.datagrams = 1
	s.counts(len(out))
	_, _ = w.medium.Flush() // what it answers it answers again
	return true
}

// hearMedium is hear over a medium: all that has arrived.
func (s *Sender) hearMedium(w *wire) error {
	n, err := w.medium.Receive()
	if err != nil {
		return onLine(s.options.Channel, int(w.path), err)
	}
	for i := range n {
		data, peer := w.medium.Datagram(i)
		from, err := sys.AddressOf(peer)
		if err != nil {
			continue
		}
		if err := s.heardOne(w, data, &from, s.clock.now); err != nil {
			return err
		}
	}
	return nil
}

// say sends one datagram at once.
func (w *wire) say(p []byte, to *sys.Address) error {
	if w.medium == nil {
		return w.socket.SendOneTo(p, to)
	}
	if sayOver(w.medium, p, to) {
		w.datagrams++
	}
	return nil
}

// sayOver puts a datagram on its way with the next Flush. It reports false when there is no room.
func sayOver(m netio.Medium, p []byte, to *sys.Address) bool {
	out := m.Place(to.AddrPort(), len(p))
	copy(out, p)
	return out != nil
}

// say sends one datagram to a sender.
func (l *line) say(p []byte, to *sys.Address) error {
	switch {
	case l.own != nil:
		return l.own.say(p, to)
	case l.medium == nil:
		return l.socket.SendOneTo(p, to)
	case !sayOver(l.medium, p, to):
		return sys.ErrAgain
	}
	l.said = true
	return nil
}

// arrived takes datagram i of a medium.
func (r *Receiver) arrived(l *line, i int) {
	data, peer := l.medium.Datagram(i)
	if peer != l.peer {
		from, err := sys.AddressOf(peer)
		if err != nil {
			r.drop(Malformed, 1)
			return
		}
		l.from, l.peer = from, peer
		l.turns++
	}
	r.Bytes += uint64(len(data))
	r.Datagrams++
	r.datagram(l, data)
	r.dirty = true
}

// answers sends what was said over a medium.
func (r *Receiver) answers(l *line) error {
	waiting, err := l.medium.Flush()
	if err != nil {
		return onLine(r.options.Channel, int(l.path), err)
	}
	if n, _ := l.medium.Refused(); n > 0 {
		r.drop(Unsendable, uint64(n))
	}
	l.said = waiting > 0
	return nil
}
