package transport

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
)

// A shadow carries a channel a second time, by another medium, so that both can be compared before one replaces the other. It may cost the
// channel nothing: neither its publishers nor its first way know of it.
//
//	publisher's ring ══ lossy reader ─ twin.Do ══ twin's ring ══ a link of its own ┄ mirrors of its own ══ comparison
//
// The twin's ring has the source and the numbers of the publisher's. A shadow that is slow or dead fills it, the lossy reader is lapped, and
// what it missed is counted.

// shadowLink is the number of the links that carry shadows: none that carries a channel has it, and so none is opened anew for a shadow.
const shadowLink = 15

// shadowOf is a channel's shadow as media know it. While only one of two nodes has read a file anew, what one sends as the channel must not
// arrive as its shadow, which would confirm it and deliver nothing.
func shadowOf(channel string) string { return channel + " shadow" }

// Shadow is what runs beside a carriage.
type Shadow struct {
	Medium  string `json:"medium"`
	Alive   bool   `json:"alive"`
	Rings   int    `json:"rings"`
	Lag     uint64 `json:"lag"`     // bytes that the node has not confirmed
	Copied  uint64 `json:"copied"`  // frames that were handed to it
	Skipped uint64 `json:"skipped"` // frames that were overwritten before it had room for them
	Err     string `json:"error,omitempty"`
}

// beside is a leg's shadow. It belongs to the fabric's goroutine.
type beside struct {
	channel string // as the way knows it
	key     linkKey
	way     netio.Way
	twins   map[*ring.Ring]*twin
	leaving []*twin
	err     error
	copied  uint64 // by twins that are gone
	skipped uint64
}

// twin copies one ring for a shadow. Its Do is the crew's.
type twin struct {
	reader  *ring.Reader
	inbox   *netio.Inbox
	mirror  *netio.Mirror
	batch   []ring.Record
	n, next int    // records of the batch, and which of them is due
	record  []byte // one, padded with zeros
	copied  uint64 // between cycles for others, as skipped
	skipped uint64
	carried bool // the way has it
}

const twinBatch = 256 // records of a Do at most

// newTwin begins at the oldest record that the ring has: the first way may be there, too.
func newTwin(r *ring.Ring) (*twin, error) {
	o := ring.ReaderOptions{Name: "shadow", Mode: ring.Lossy, From: ring.Oldest}
	reader, err := r.Reader(o)
	if err != nil {
		return nil, err
	}
	info := r.Info()
	inbox, err := netio.NewInbox(netio.InboxOptions{Capacity: int(info.Capacity), Sources: 1})
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	t := &twin{reader: reader, inbox: inbox, batch: make([]ring.Record, twinBatch)}
	if t.mirror, err = inbox.Open(info.Instance, reader.Seq()); err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.record = make([]byte, t.mirror.MaxRun())
	return t, nil
}

// Do copies a batch as far as there is room.
func (t *twin) Do() (n int, err error) {
	if t.next == t.n {
		t.n, t.next = t.reader.Peek(t.batch), 0
		if t.n == 0 {
			return 0, t.reader.Err()
		}
	}
	from := t.reader.First()
	for ; t.next < t.n; t.next++ {
		one := t.batch[t.next]
		run := t.record[:(len(one)+7)&^7]
		clear(run[copy(run, one):])
		seq, due := from+uint64(t.next), t.mirror.Seq()
		if trace := t.reader.Trace(); trace != nil && t.next == 0 {
			t.mirror.About(seq, *trace)
		}
		if err = t.mirror.Bring(uint32(t.reader.Epoch()), seq, seq-due, run, 1); err != nil {
			break
		}
		t.skipped += seq - due
		n++
	}
	t.copied += uint64(n)
	if t.mirror.Flush(); errors.Is(err, ring.ErrFull) { // the shadow is behind: what its reader misses meanwhile is skipped
		err = nil
	}
	if t.next == t.n && n > 0 {
		err = errors.Join(err, t.reader.Release(t.n))
	}
	return n, err
}

func (t *twin) close() error { return errors.Join(t.reader.Close(), t.inbox.Close()) }

// besidesOf is the link of every shadow that begins here.
func besidesOf(l *layout) map[legKey]linkKey {
	all := map[legKey]linkKey{}
	l.between(func(_ *route.ChannelPlan, d *route.Decision, far string, sends bool) {
		if protocol, ok := protocolOf(d.Shadow); ok && sends && !l.spared(d.Channel, far) {
			all[legKey{d.Channel, far}] = linkKey{protocol, far, shadowLink}
		}
	})
	return all
}

// withdraw ends the shadows that a plan does not have any more, or whose link will be closed.
func (f *fabric) withdraw(plan map[legKey]linkKey, changed map[linkKey]bool) error {
	var faults []error
	for key, b := range f.besides {
		if to, ok := plan[key]; ok && to == b.key && !changed[to] {
			continue
		}
		for r := range b.twins {
			f.part(b, r)
		}
		for end := time.Now().Add(time.Second); !f.leave(b); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				faults = append(faults, fmt.Errorf("transport: channel %q to node %q: its shadow by %s does not let go", key.channel, key.node, b.key.protocol))
				break
			}
		}
		delete(f.besides, key)
	}
	return errors.Join(faults...)
}

// accompany begins the shadows that a plan has.
func (f *fabric) accompany(plan map[legKey]linkKey) {
	for key, to := range plan {
		if f.besides[key] == nil && f.links[to] != nil {
			f.besides[key] = &beside{channel: shadowOf(key.channel), key: to, way: f.links[to].way, twins: map[*ring.Ring]*twin{}}
		}
	}
	f.abreast()
}

// abreast has each shadow carry the rings that its leg has.
func (f *fabric) abreast() {
	for key, b := range f.besides {
		var rings []*ring.Ring
		if l := f.legs[key]; l != nil {
			rings = l.rings
		}
		for r := range b.twins {
			if !slices.Contains(rings, r) {
				f.part(b, r)
			}
		}
		f.leave(b)
		var faults []error
		for _, r := range rings {
			faults = append(faults, f.follow(b, r))
		}
		b.err = errors.Join(faults...)
		f.told(fmt.Sprintf("channel %s, shadow by %s to %s", key.channel, b.key.protocol, key.node), b.err)
	}
}

// follow has a shadow carry one ring, unless it does.
func (f *fabric) follow(b *beside, r *ring.Ring) (err error) {
	t := b.twins[r]
	if t == nil {
		if t, err = newTwin(r); err != nil {
			return err
		}
		b.twins[r] = t
	}
	if t.carried {
		return nil
	}
	if err := b.way.Add(b.channel, t.mirror.Ring); err != nil {
		return err
	}
	t.carried = true
	f.recrew()
	return nil
}

// part has a shadow copy one ring no more.
func (f *fabric) part(b *beside, r *ring.Ring) {
	t := b.twins[r]
	delete(b.twins, r)
	b.leaving = append(b.leaving, t)
	f.recrew()
	b.copied, b.skipped = b.copied+t.copied, b.skipped+t.skipped
	b.err = errors.Join(b.err, t.reader.Close())
}

// leave ends twins that are not copied any more, once the way has let go of them. It reports whether none are left.
func (f *fabric) leave(b *beside) bool {
	b.leaving = slices.DeleteFunc(b.leaving, func(t *twin) bool {
		if t.carried {
			done, err := b.way.Remove(b.channel, t.mirror.Ring)
			if b.err = err; !done {
				return false
			}
		}
		b.err = errors.Join(b.err, t.inbox.Close())
		return true
	})
	return len(b.leaving) == 0
}

// shadow is the state of a leg's.
func (f *fabric) shadow(l *leg) *Shadow {
	b := f.besides[legKey{l.channel, l.node}]
	if b == nil {
		return nil
	}
	s := &Shadow{Medium: b.key.protocol, Alive: b.way.Alive(b.channel), Rings: len(b.twins), Lag: b.way.Lag(b.channel), Copied: b.copied, Skipped: b.skipped}
	f.between(func() {
		for _, t := range b.twins {
			s.Copied, s.Skipped = s.Copied+t.copied, s.Skipped+t.skipped
		}
	})
	if b.err != nil {
		s.Err = b.err.Error()
	}
	return s
}
