package transport

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

// RecoveryOptions say which channel is watched and where its recovery requests go.
type RecoveryOptions struct {
	Channel  string // of protocol_v2 messages
	Requests string // channel the requests are published in, which is carried back to where they can be answered

	Parser     tlv.Parser     // how messages are read
	Thresholds tlv.Thresholds // when a snapshot is asked for instead of what is missing
	Consumer   uint32         // who asks, as requests say it
	Source     tlv.Source     // of the requests' headers
}

// Recovery asks for what is missing in a channel that is not repaired below: it follows the sequence numbers of the channel's protocol_v2
// messages, and for each gap publishes a RecoveryRequest in another channel, in the dialect and domain of the message after the gap. It is
// a worker beside the channel's subscribers: what they do with messages after a gap is theirs. It belongs to one goroutine. The zero
// Recovery is not valid: use Node.Recover.
type Recovery struct {
	options  RecoveryOptions
	sub      *Subscriber
	pub      *Publisher
	tracker  tlv.Tracker
	origins  map[origin]life
	waiting  []request
	sequence uint64
	RecoveryStats
}

// RecoveryStats is what a Recovery has seen.
type RecoveryStats struct {
	Messages uint64 // with a sequence number
	Missing  uint64 // messages skipped over; those that come late are not taken off again, and jumps too far to be believed do not count
	Requests uint64 // published
	Covered  uint64 // gaps for which no request was needed: a snapshot is on its way
	Dropped  uint64 // requests that found no room in their channel for too long: a later gap asks again
	Foreign  uint64 // frames that are no protocol_v2 messages
}

// origin is a stream of numbers, life where it comes from: a ring and an epoch of it.
type origin struct {
	domain tlv.Domain
	source tlv.Source
}

type life struct {
	ring  uint64
	epoch uint64
}

// request waits for room in its channel.
type request struct {
	tlv.Recovery
	dialect tlv.Dialect
	stamp   uint64 // of the message that showed the gap
}

const (
	mostWaiting = 64  // requests without room
	mostAtOnce  = 256 // frames of one Do
	requestRoom = 128 // bytes of a request
)

// Recover opens a Recovery. It answers what Subscriber and Publisher answer.
func (n *Node) Recover(o RecoveryOptions) (*Recovery, error) {
	sub, err := n.Subscriber(o.Channel)
	if err != nil {
		return nil, err
	}
	pub, err := n.Publisher(o.Requests)
	if err != nil {
		return nil, errors.Join(err, sub.Close())
	}
	return &Recovery{options: o, sub: sub, pub: pub, origins: map[origin]life{},
		tracker: tlv.Tracker{Consumer: o.Consumer, Thresholds: o.Thresholds}}, nil
}

// Do looks at the next frames and publishes the requests they call for. It returns how many frames it looked at, and the errors of Poll.
func (r *Recovery) Do() (int, error) {
	n, err := r.sub.Poll(mostAtOnce, r.look)
	return n, errors.Join(err, r.send())
}

// look takes one frame into account.
func (r *Recovery) look(f seal.Frame) {
	m, err := r.options.Parser.Parse(f.Payload)
	if err != nil {
		r.Foreign++
		return
	}
	from, at := origin{m.Domain(), m.Source()}, life{f.Source, f.Epoch}
	if was, known := r.origins[from]; !known || was != at {
		if known { // a new life of its publisher counts from one again
			r.tracker.Forget(from.domain, from.source)
		}
		r.origins[from] = at
	}
	if phase, _ := r.tracker.Phase(from.domain, from.source); phase == tlv.PhaseSnapshotLoading {
		if t, ok := m.Find(tlv.TypeSnapshot); ok {
			if s, ok := t.Snapshot(); ok {
				r.tracker.Resume(from.domain, from.source, s.Sequence)
			}
		}
	}
	v := r.tracker.Observe(m)
	if v.Arrival != tlv.Unnumbered {
		r.Messages++
	}
	if v.Arrival == tlv.Gap {
		r.Missing += v.Missing
	}
	switch {
	case v.Missing == 0:
	case v.Action != tlv.Recover:
		r.Covered++
	case len(r.waiting) == mostWaiting:
		r.Dropped++
	default:
		r.waiting = append(r.waiting, request{v.Request, m.Dialect(), m.Header().Timestamp})
		r.tracker.Requested(v.Request)
	}
}

// send publishes the requests that wait, oldest first, as far as there is room.
func (r *Recovery) send() error {
	for len(r.waiting) > 0 {
		one := r.waiting[0]
		buf, err := r.pub.Claim(requestRoom)
		if errors.Is(err, ring.ErrFull) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("transport: channel %q: %w", r.options.Requests, err)
		}
		size, err := one.Put(buf, one.dialect, tlv.Header{Source: r.options.Source, Sequence: r.sequence + 1, Timestamp: one.stamp}, r.options.Parser.Numbering)
		if err == nil {
			err = r.pub.Commit(size)
		}
		if err != nil {
			r.pub.Abort()
			return fmt.Errorf("transport: channel %q: %w", r.options.Requests, err)
		}
		r.sequence++
		r.Requests++
		r.waiting = append(r.waiting[:0], r.waiting[1:]...)
	}
	return nil
}

// Resumed tells that a snapshot up to sequence number n was loaded, which came another way than in the watched channel: until a snapshot
// that was asked for comes, no gap calls for another request.
func (r *Recovery) Resumed(d tlv.Domain, s tlv.Source, n uint64) { r.tracker.Resume(d, s, n) }

// Close closes both ends.
func (r *Recovery) Close() error { return errors.Join(r.sub.Close(), r.pub.Close()) }
