package simnet

import (
	"bytes"
	"sync"
	"time"
)

const (
	// holdFor bounds how long a datagram that is held back waits for later ones once it is due: the last of a stream has none.
	holdFor = 100 * time.Millisecond

	maxPending      = 1 << 16  // copies a line keeps
	maxPendingBytes = 64 << 20 // and their bytes
)

// line is one direction: it executes what its script decides. Its lock is held while it sends, so that order is the script's.
type line struct {
	send func(b []byte, to *client) error
	wake chan struct{} // of capacity 1: something may be due earlier than it was

	sync.Mutex
	script *Script
	count  Counters
	queue  []parcel // in the order in which they are due; they leave from the front
	held   []parcel // in the order in which they came
	bytes  int      // of queue and held
	closed bool
}

// parcel is a datagram that does not leave at once.
type parcel struct {
	data   []byte
	to     *client
	number uint64 // counts those that passed
	copies uint64
	due    time.Duration
	behind int // later ones that must leave first
	passed int // later ones that have left
}

func newLine(s *Script, send func(b []byte, to *client) error) *line {
	return &line{script: s, send: send, wake: make(chan struct{}, 1)}
}

// enter takes a datagram that came at now. b is changed, and the caller's again when enter returns.
func (l *line) enter(now time.Duration, b []byte, to *client) {
	l.Lock()
	defer l.Unlock()
	fate := l.script.Next(now, len(b))
	l.count.In++
	switch fate.Verdict {
	case Partitioned:
		l.count.Partitioned++
		return
	case Lost:
		l.count.Lost++
		return
	case Limited:
		l.count.Limited++
		return
	}
	p := parcel{data: b[:fate.Size], to: to, number: l.count.In, copies: 1, due: fate.Due, behind: fate.Behind}
	if fate.Twice {
		p.copies = 2
	}
	atOnce := p.due <= now && p.behind == 0 && len(l.queue) == 0
	switch {
	case l.closed:
		l.count.Unsent++
		return
	case !atOnce && (l.count.Pending+p.copies > maxPending || l.bytes+len(p.data) > maxPendingBytes):
		l.count.Limited++
		return
	}
	l.damage(p.data, len(b), fate)
	if p.due > now {
		l.count.Delayed++
	}
	if atOnce {
		l.leave(p)
	} else {
		l.keep(p)
	}
}

// damage turns a bit and counts what happens to the datagram's bytes and number.
func (l *line) damage(data []byte, size int, fate Fate) {
	if fate.Flip >= 0 {
		data[fate.Flip/8] ^= 1 << (fate.Flip % 8)
		l.count.Corrupted++
	}
	if fate.Size < size {
		l.count.Truncated++
	}
	if fate.Twice {
		l.count.Duplicated++
	}
}

// keep copies the datagram and waits for its time.
func (l *line) keep(p parcel) {
	p.data = bytes.Clone(p.data)
	l.count.Pending += p.copies
	l.bytes += len(p.data)
	if p.behind > 0 {
		l.held = append(l.held, p)
	} else {
		l.queue = append(l.queue, p)
	}
	l.hurry()
}

// hurry has whoever calls expire call it now.
func (l *line) hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// leave sends p, and then those that were waiting for it to go first.
func (l *line) leave(p parcel) {
	for range p.copies {
		if l.send(p.data, p.to) != nil {
			l.count.Unsent++
		} else {
			l.count.Forwarded++
		}
	}
	if p.passed > 0 {
		l.count.Reordered++
	}
	if p.behind > 0 {
		return // it passed nobody: those held before it came before it, and go by their own count
	}
	kept := l.held[:0]
	var free []parcel
	for _, h := range l.held {
		if h.number < p.number {
			h.passed++
		}
		if h.passed >= h.behind {
			free = append(free, h)
		} else {
			kept = append(kept, h)
		}
	}
	clear(l.held[len(kept):])
	l.held = kept
	for _, h := range free {
		l.release(h)
	}
}

// release sends a datagram that was kept.
func (l *line) release(p parcel) {
	l.count.Pending -= p.copies
	l.bytes -= len(p.data)
	l.leave(p)
}

// expire sends what is due at now, and says when it wants to be called again; ok is false if nothing waits.
func (l *line) expire(now time.Duration) (next time.Duration, ok bool) {
	l.Lock()
	defer l.Unlock()
	for len(l.queue) > 0 && l.queue[0].due <= now {
		p := l.queue[0]
		l.queue[0] = parcel{}
		l.queue = l.queue[1:]
		l.release(p)
	}
	for len(l.held) > 0 && l.held[0].due+holdFor <= now {
		p := l.held[0]
		l.held[0] = parcel{}
		l.held = l.held[1:]
		l.release(p)
	}
	if len(l.queue) > 0 {
		next, ok = l.queue[0].due, true
	}
	if len(l.held) > 0 {
		if h := l.held[0].due + holdFor; !ok || h < next {
			next, ok = h, true
		}
	}
	return next, ok
}

// set changes the faults. What waits does not wait longer than it would under the new ones: it keeps its place, and nobody after it
// waits for a delay that has been lifted.
func (l *line) set(now time.Duration, f Faults) {
	l.Lock()
	defer l.Unlock()
	l.script.Set(now, f)
	for _, waiting := range [][]parcel{l.queue, l.held} {
		for i := range waiting {
			waiting[i].due = min(waiting[i].due, now+f.Delay+f.Jitter)
		}
	}
	l.hurry()
}

func (l *line) partition(on bool) {
	l.Lock()
	defer l.Unlock()
	l.script.Partition(on)
}

// close drops what waits; nothing leaves any more.
func (l *line) close() {
	l.Lock()
	defer l.Unlock()
	l.closed = true
	l.count.Unsent += l.count.Pending
	l.count.Pending, l.bytes, l.queue, l.held = 0, 0, nil, nil
}

func (l *line) counters() Counters {
	l.Lock()
	defer l.Unlock()
	return l.count
}
