package udp

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

const (
	pendings   = 64                    // sessions asked for at one time
	knockEvery = 20 * time.Millisecond // between two hellos for one
	helloWhole = seal.HeaderSize + seal.HelloSize
)

// session is a sealed stream on one path.
type session struct {
	opener *seal.Opener
	back   *seal.BackSealer
	id     uint64 // what this receiver calls itself there
	epoch  uint32 // in which the sender began; its envelopes may carry others
	salt   seal.Salt
	suite  seal.Suite
	secret seal.Secret
}

// pending is a session that was asked for. Nothing else is kept for a sender that has proved nothing.
type pending struct {
	source uint64
	path   uint8
	nonce  seal.Nonce
	at     time.Duration
}

// open opens a sealed envelope in place, or counts why not and returns nil.
func (r *Receiver) open(l *line, s *stream, h *seal.Header, env []byte) []byte {
	one := &s.sessions[l.path]
	if one.opener == nil {
		r.drop(NoSession, 1)
		r.knock(l, h)
		return nil
	}
	body := env[seal.HeaderSize:]
	if len(body) < seal.Overhead {
		r.drop(Malformed, 1)
		return nil
	}
	n, err := one.opener.Open(body[8:], env[:seal.HeaderSize], body, h.KeyEpoch, r.clock.now)
	switch err {
	case nil:
		return body[8 : 8+n]
	case seal.ErrReplayed:
		r.drop(Replayed, 1)
		r.knock(l, h) // a sender that began anew counts from one, which this session has heard
	case seal.ErrOldKey:
		r.drop(OldKey, 1)
		r.knock(l, h)
	default:
		r.drop(Forged, 1)
		r.knock(l, h) // or a sender that began anew
	}
	return nil
}

// knock asks for a session, seldom enough, and never with more bytes than were received.
func (r *Receiver) knock(l *line, h *seal.Header) {
	if r.whole < helloWhole || h.Source == 0 {
		return
	}
	now := r.clock.now
	p := &r.pending[0]
	for i := range r.pending {
		q := &r.pending[i]
		if q.source == h.Source && q.path == l.path {
			p = q
			break
		}
		if q.at < p.at || q.source == 0 && p.source != 0 {
			p = q
		}
	}
	if p.source == h.Source && p.path == l.path {
		if now-p.at < knockEvery {
			return
		}
		p.at = now
	} else {
		if p.source != 0 && now-p.at < knockEvery { // nobody is forgotten so soon: who makes up sources gets no more answers than there is room
			return
		}
		*p = pending{source: h.Source, path: l.path, nonce: seal.NewNonce(), at: now}
	}
	r.whole -= helloWhole
	out := r.scratch[512:]
	(&seal.Header{Kind: seal.HelloKind, Channel: r.channel, Source: h.Source, Epoch: h.Epoch, Length: seal.HelloSize, Seq: r.id}).Put(out)
	out = seal.AppendHello(out[:seal.HeaderSize], seal.Hello{Nonce: p.nonce})
	if l.say(out, &l.from) != nil {
		r.drop(Unsendable, 1)
	}
}

// announced opens the session that an announce tells of, if it was asked for.
func (r *Receiver) announced(l *line, h *seal.Header, env []byte) {
	var p *pending
	for i := range r.pending {
		if q := &r.pending[i]; q.source == h.Source && q.path == l.path && q.source != 0 {
			p = q
		}
	}
	if p == nil {
		r.drop(Replayed, 1)
		return
	}
	a, secret, err := r.openAnnounce(env[:seal.HeaderSize], env[seal.HeaderSize:], p.nonce)
	switch {
	case err == seal.ErrReplayed:
		r.drop(Replayed, 1)
		return
	case err != nil:
		r.drop(Forged, 1)
		return
	}
	*p = pending{}
	s := r.streams[h.Source]
	if s == nil {
		if s = r.meet(h.Source); s == nil {
			r.drop(ForeignSource, 1)
			return
		}
	}
	r.begin(l, s, h, a, secret)
}

// begin opens or moves on the session of an announce that is true.
func (r *Receiver) begin(l *line, s *stream, h *seal.Header, a seal.Announce, secret seal.Secret) {
	one := &s.sessions[l.path]
	if one.opener != nil && one.epoch == h.Epoch && one.salt == a.Salt {
		if a.Key <= one.opener.Key() {
			return // open as it is: a forgery made this receiver ask, and shall cost nothing that is under way
		}
		if err := one.opener.Advance(a, r.clock.now); err != nil {
			r.drop(Forged, 1)
		}
		return
	}
	who := seal.Session{Channel: h.Channel, Source: h.Source, Epoch: h.Epoch, Path: l.path}
	id := seal.NewReceiver()
	opener, err := seal.NewOpener(secret, a.Suite, who, a.Salt, seal.Window{Key: a.Key, Packet: a.Packet})
	if err != nil {
		r.told(h.Source, err)
		return
	}
	back, err := seal.NewBackSealer(secret, a.Suite, who, a.Salt, id)
	if err != nil {
		r.told(h.Source, err)
		return
	}
	*one = session{opener: opener, back: back, id: id, epoch: h.Epoch, salt: a.Salt, suite: a.Suite, secret: secret}
}

// sealed seals an answer to the sender, or returns nothing when there is no session to do so.
func (r *Receiver) sealed(s *stream, h *seal.Header, body, out []byte) []byte {
	one := &s.sessions[s.at.path]
	if one.back == nil {
		return nil
	}
	h.Sealed, h.Suite, h.Seq, h.Epoch, h.Length = true, one.suite, one.id, one.epoch, len(body)+seal.Overhead
	out = out[:seal.HeaderSize+h.Length]
	h.Put(out)
	if _, err := one.back.Seal(out[seal.HeaderSize:], out[:seal.HeaderSize], body); err != nil {
		one.back, one.opener = nil, nil // spent: a new session brings a new number
		return nil
	}
	return out
}
