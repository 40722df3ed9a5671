package netio

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Mirrors is a channel's mirrors for several inboxes: links that may bring the same sources, one after the other or side by side. Each
// link has an Inbox of its own whose InboxOptions.Shared is this. It is safe for several goroutines.
//
// A mirror has one writer. Before a batch a link enters it, afterwards it leaves it; who finds it taken comes again later, and what it
// has received waits. What is due is what the mirror says: a frame that another link brought is a repeat.
type Mirrors struct {
	mu    sync.Mutex
	inbox *Inbox
	views map[uint64]int // inboxes that hold a source's mirror
}

// NewMirrors checks the options, as NewInbox does; Shared is nil.
func NewMirrors(o InboxOptions) (*Mirrors, error) {
	if o.Shared != nil {
		return nil, errors.New("netio: mirrors: shared already")
	}
	b, err := NewInbox(o)
	if err != nil {
		return nil, err
	}
	return &Mirrors{inbox: b, views: map[uint64]int{}}, nil
}

// Capacity returns what a new mirror has.
func (s *Mirrors) Capacity() int { return s.inbox.options.Capacity }

func (s *Mirrors) held(source uint64) (*Mirror, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(s.inbox.Held(source))
}

func (s *Mirrors) open(source, first uint64) (*Mirror, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inbox.mirrors[source] == nil && len(s.inbox.mirrors) >= s.inbox.options.Sources {
		for old := range s.inbox.mirrors { // one that nobody holds makes room
			if s.views[old] == 0 {
				if err := s.inbox.Forget(old); err != nil {
					return nil, err
				}
				break
			}
		}
	}
	return s.view(s.inbox.Open(source, first))
}

// view counts an inbox that holds a mirror from now on.
func (s *Mirrors) view(m *Mirror, err error) (*Mirror, error) {
	if m == nil || err != nil {
		return nil, err
	}
	if m.gate == nil {
		m.gate = &gate{}
		m.gate.stood.Store(m.Seq())
	}
	s.views[m.Ring.Info().Instance]++
	return m, nil
}

func (s *Mirrors) forget(source uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views[source]--
}

// Close closes all mirrors. The inboxes that share them are closed before.
func (s *Mirrors) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inbox.Close()
}

// gate lets one link at a time into a mirror.
type gate struct {
	taken atomic.Bool
	stood atomic.Uint64 // number that was due when a link left last
}

// Enter takes the mirror for one goroutine until Leave. False: another link is at work on it. A mirror of an inbox alone is always free.
func (m *Mirror) Enter() bool { return m.gate == nil || m.gate.taken.CompareAndSwap(false, true) }

// Leave gives the mirror back, after Flush.
func (m *Mirror) Leave() {
	if m.gate != nil {
		m.gate.stood.Store(m.Seq())
		m.gate.taken.Store(false)
	}
}

// Stood is the number that was due when a link left the mirror last: what lies below it is there. Who has not entered may ask, too.
func (m *Mirror) Stood() uint64 {
	if m.gate == nil {
		return m.Seq()
	}
	return m.gate.stood.Load()
}

// Bring appends n records from number first on, of an epoch, which the caller has checked: of the numbers between the last record and first,
// lost were lost. It answers what Continue and Append do.
func (m *Mirror) Bring(epoch uint32, first, lost uint64, run []byte, n int) error {
	if first != m.Seq() || uint64(epoch) != m.voice || m.turned {
		if err := m.Continue(uint64(epoch), first, lost); err != nil {
			return err
		}
		m.turned = true
	}
	if m.about == first {
		m.Trace(m.trace)
		m.turned = true // should it not come now, Continue forgets the trace
	}
	if err := m.Append(run, n); err != nil {
		return err
	}
	m.voice, m.turned = uint64(epoch), false
	return nil
}
