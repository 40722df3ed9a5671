package udp

import (
	"errors"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/seal"
)

// outbound is a feed's session on one line: the sealer, and what opens the answers of receivers that said hello.
type outbound struct {
	sealer *seal.Sealer
	epoch  uint32
	backs  map[uint64]*seal.BackOpener
}

// session returns the feed's session on a line, and begins it the first time.
func (s *Sender) session(w *wire, f *feed) (*outbound, error) {
	if o := f.sessions[w.path]; o != nil {
		return o, nil
	}
	who := seal.Session{Channel: s.channel, Source: f.source, Epoch: f.epoch, Path: w.path}
	sealer, err := seal.NewSealer(*s.options.Secret, s.options.Suite, who, s.options.Limits)
	if err != nil {
		return nil, onChannel(s.options.Channel, err)
	}
	o := &outbound{sealer: sealer, epoch: f.epoch, backs: map[uint64]*seal.BackOpener{}}
	f.sessions[w.path] = o
	return o, nil
}

// sealOut puts a sealed envelope on one line. It reports false when the batch is full, and then no packet number is used.
func (s *Sender) sealOut(w *wire, to *sys.Address, f *feed, h *seal.Header, head, body []byte, pad int, now time.Duration) (bool, error) {
	o, err := s.session(w, f)
	if err != nil {
		return false, err
	}
	if h.KeyEpoch, err = o.sealer.Next(now); err != nil {
		return false, onChannel(s.options.Channel, err)
	}
	h.Sealed, h.Suite, h.Length = true, s.options.Suite, len(head)+len(body)+seal.Overhead
	size := seal.HeaderSize + h.Length
	out := w.place(to, max(size, pad))
	if out == nil {
		return false, nil
	}
	h.Put(out)
	if len(head) > 0 {
		plain := out[seal.HeaderSize+8:][:len(head)+len(body)]
		copy(plain[copy(plain, head):], body)
		body = plain
	}
	if _, err := o.sealer.Seal(out[seal.HeaderSize:size], out[:seal.HeaderSize], body); err != nil {
		return false, onChannel(s.options.Channel, err)
	}
	if pad > size {
		clear(out[size:])
	}
	s.counts(len(out))
	return true, nil
}

// turnKeys turns the feed's sessions to their next keys.
func (f *feed) turnKeys() error {
	var faults []error
	for _, o := range f.sessions {
		if o != nil {
			faults = append(faults, o.sealer.Rotate())
		}
	}
	return errors.Join(faults...)
}

// greet answers a hello: how to open the session. It is smaller than what it answers, and rare.
func (s *Sender) greet(w *wire, f *feed, h *seal.Header, body []byte, from *sys.Address) error {
	hello, err := seal.ParseHello(body)
	switch {
	case err != nil || h.Sealed || s.options.Secret == nil:
		s.drop(Misplaced, 1)
		return nil
	case s.hellos <= 0:
		s.drop(OverBudget, 1)
		return nil
	}
	s.hellos--
	o, err := s.session(w, f)
	if err != nil {
		return err
	}
	out := s.scratch[:seal.HeaderSize]
	(&seal.Header{Kind: seal.Announced, Channel: s.channel, Source: f.source, Epoch: o.epoch, Length: seal.AnnounceSize}).Put(out)
	out, err = seal.AppendAnnounce(out, *s.options.Secret, out, o.sealer.Announce(hello.Nonce))
	if err != nil {
		return onChannel(s.options.Channel, err)
	}
	if w.say(out, from) != nil {
		s.drop(Unsendable, 1)
	}
	return nil
}

// unsealed opens what a receiver said, or counts why not and returns nil.
func (s *Sender) unsealed(w *wire, f *feed, h *seal.Header, env []byte) []byte {
	o := f.sessions[w.path]
	if o == nil {
		s.drop(NoSession, 1)
		return nil
	}
	back := o.backs[h.Seq]
	if back == nil { // a key costs more than a packet: as many as hellos
		if s.hellos <= 0 {
			s.drop(OverBudget, 1)
			return nil
		}
		s.hellos--
		var err error
		who := seal.Session{Channel: s.channel, Source: f.source, Epoch: o.epoch, Path: w.path}
		if back, err = seal.NewBackOpener(*s.options.Secret, s.options.Suite, who, o.sealer.Salt(), h.Seq); err != nil {
			s.drop(Forged, 1)
			return nil
		}
	}
	body := env[seal.HeaderSize:]
	if len(body) < seal.Overhead {
		s.drop(Malformed, 1)
		return nil
	}
	n, err := back.Open(body[8:], env[:seal.HeaderSize], body)
	switch err {
	case nil:
		if o.backs[h.Seq] = back; len(o.backs) > 4*maxReceivers { // no replay window may be forgotten, but all may with their session
			f.sessions[w.path] = nil
		}
		return body[8 : 8+n]
	case seal.ErrReplayed:
		s.drop(Replayed, 1)
	default:
		s.drop(Forged, 1)
	}
	return nil
}
