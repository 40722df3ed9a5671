package journal

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

// Replay goes through a journal message by message. The zero value of all but Dir is: everything, flat out.
type Replay struct {
	Dir  string
	From uint64 // number of the entry to begin with; 0 is the oldest

	// Speed is how many times as fast as it was recorded: 1 is the recorded pace, 0 flat out. Where publishers stamped their messages the
	// pace is that of the stamps, else that of the entries.
	Speed float64
}

// Replayed is what a replay has done.
type Replayed struct {
	Messages uint64
	Repeated uint64 // messages that the journal has more than once, passed over
	Lost     uint64 // numbers of a source that the journal does not have
	Foreign  uint64 // entries that carry no messages in the clear, or are no envelopes
	Late     time.Duration
}

// Run calls fn with every message, in the order of the journal, when it is due, until fn answers an error, ctx ends or the journal does. The
// payload is valid until fn returns. A message that comes late does not make the next ones late: Late is the worst.
func (r Replay) Run(ctx context.Context, fn func(seal.Frame) error) (done Replayed, err error) {
	p := player{Replay: r, ctx: ctx, fn: fn, sources: map[uint64]*played{}}
	err = Scan(r.Dir, r.From, p.entry)
	return p.done, err
}

type player struct {
	Replay
	ctx     context.Context
	fn      func(seal.Frame) error
	sources map[uint64]*played
	done    Replayed
	began   time.Time
	first   int64 // instant of the first message, as recorded
	last    int64 // and of the last
	codec   *pack.Codec
	raw     []byte
}

// played is what was played of a source.
type played struct {
	next uint64
	part []byte
}

func (p *player) entry(e Entry) error {
	var h seal.Header
	if h.Parse(e.Envelope) != nil || h.Length != len(e.Envelope)-seal.HeaderSize || h.Sealed || h.Traced && h.Length < seal.TraceSize {
		p.done.Foreign++
		return p.ctx.Err()
	}
	body := e.Envelope[seal.HeaderSize:]
	if h.Traced {
		body = body[:len(body)-seal.TraceSize]
	}
	if h.Codec != 0 {
		var err error
		if body, err = p.expand(&h, body); err != nil {
			p.done.Foreign++
			return p.ctx.Err()
		}
	}
	s := p.sources[h.Source]
	if s == nil {
		s = &played{next: h.Seq}
		p.sources[h.Source] = s
	}
	switch h.Kind {
	case seal.Fragment:
		offset, total, part, err := seal.ParseFragment(body, 1<<28-1)
		if err != nil || offset > len(s.part) {
			return p.ctx.Err()
		}
		if s.part = append(s.part[:offset], part...); len(s.part) < total {
			return p.ctx.Err()
		}
		body = append(s.part, make([]byte, -total&7)...)
		s.part = s.part[:0]
	case seal.Data:
	case seal.Lost:
		return p.ctx.Err() // the next number tells
	default:
		p.done.Foreign++
		return p.ctx.Err()
	}
	n, err := seal.Records(body, h.Seq, 1<<28-1)
	if err != nil {
		p.done.Foreign++
		return p.ctx.Err()
	}
	return p.records(e, &h, s, body, n)
}

// expand undoes what a shipper packed.
func (p *player) expand(h *seal.Header, body []byte) (raw []byte, err error) {
	if p.codec == nil {
		if p.codec, err = pack.New(pack.Options{}); err != nil {
			return nil, err
		}
		p.raw = make([]byte, seal.MaxRaw)
	}
	raw = p.raw[:h.Raw]
	return raw, p.codec.Unpack(raw, body, h.Codec)
}

// records plays the messages of one entry.
func (p *player) records(e Entry, h *seal.Header, s *played, body []byte, n int) error {
	newest := int64(0)
	walk(body, n, func(record []byte) bool {
		newest = max(newest, stampOf(record))
		return true
	})
	frame := seal.Frame{Source: h.Source, Epoch: uint64(h.Epoch), Seq: h.Seq}
	var err error
	walk(body, n, func(record []byte) bool {
		if frame.Seq < s.next {
			p.done.Repeated++
		} else {
			p.done.Lost += frame.Seq - s.next
			at := e.Stamp
			if stamp := stampOf(record); stamp != 0 { // the entry was put when its newest message was there
				at -= newest - stamp
			}
			if err = p.await(at); err != nil {
				return false
			}
			frame.Stamp, frame.Payload = uint64(stampOf(record)), record[16:]
			if err = p.fn(frame); err != nil {
				return false
			}
			p.done.Messages++
			s.next = frame.Seq + 1
		}
		frame.Seq++
		return true
	})
	return err
}

// await waits until what was recorded at an instant is due.
func (p *player) await(at int64) error {
	if p.began.IsZero() {
		p.began, p.first, p.last = time.Now(), at, at
	}
	p.last = max(p.last, at)
	if p.Speed <= 0 {
		return p.ctx.Err()
	}
	wait := time.Until(p.began.Add(time.Duration(float64(p.last-p.first) / p.Speed)))
	if wait <= 0 {
		p.done.Late = max(p.done.Late, -wait)
		return p.ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-timer.C:
		return nil
	}
}

// walk calls fn with each of n checked records, unpadded, until it says no.
func walk(body []byte, n int, fn func(record []byte) bool) {
	for ; n > 0; n-- {
		size := binary.LittleEndian.Uint64(body) & (1<<28 - 1)
		if !fn(body[:size:size]) {
			return
		}
		body = body[(size+7)&^7:]
	}
}

func stampOf(record []byte) int64 { return int64(binary.LittleEndian.Uint64(record[8:])) }

// ParseDurability reads the name of a durability: memory, process-crash or os-crash.
func ParseDurability(name string) (mqadapt.Durability, bool) {
	for _, d := range []mqadapt.Durability{mqadapt.Memory, mqadapt.Process, mqadapt.OS} {
		if d.String() == name {
			return d, true
		}
	}
	return 0, false
}
