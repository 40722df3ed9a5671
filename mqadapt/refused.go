package mqadapt

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio"
)

// tellEvery is the least time between two notes about one reason.
const tellEvery = time.Second

// Dead keeps what takers give up. DeadLetters is one in a text file, and package journal has one in a journal.
type Dead interface {
	// Add keeps a delivery. After an error the delivery stays in its queue.
	Add(letter Delivery, why error) error
	Close() error
}

var _ Dead = (*DeadLetters)(nil)

// reasons are why a delivery is refused, as counters call them.
var reasons = []struct {
	is   error
	name string
}{{ErrMalformed, "malformed"}, {ErrForeign, "foreign"}, {ErrUndecodable, "undecodable"}, {ErrOldEpoch, "old epoch"}, {ErrTooLarge, "too large"}}

// refused is what was refused of a channel, whatever queue of the hub's kind it came from: kept, counted by reason, and told.
type refused struct {
	hub     *Hub
	channel string
	dir     string // empty: nothing is kept

	mu     sync.Mutex
	kept   Dead // nil until something is refused
	counts map[string]uint64
	told   map[string]time.Time
}

func newRefused(h *Hub, channel string) *refused {
	r := &refused{hub: h, channel: channel, counts: map[string]uint64{}, told: map[string]time.Time{}}
	if h.site.Dead != "" && h.backend.Dead != nil {
		r.dir = filepath.Join(h.site.Dead, channel+"."+h.backend.Kind)
	}
	return r
}

// add takes one delivery. An error stops its taker, and the delivery stays in the queue: nothing is dropped that is not kept.
func (r *refused) add(d Delivery, why error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir != "" {
		if err := r.keep(d, why); err != nil {
			return fmt.Errorf("mqadapt: channel %q: a dead letter cannot be kept, so it stays in its queue: make room in %s, or move what is there away: %w: the letter: %w",
				r.channel, r.dir, err, why)
		}
	}
	name := "other"
	for _, one := range reasons {
		if errors.Is(why, one.is) {
			name = one.name
		}
	}
	r.counts[name]++
	if now := time.Now(); now.Sub(r.told[name]) >= tellEvery {
		r.told[name] = now
		r.hub.site.Notes(netio.Note{Medium: r.hub.backend.Kind, Channel: r.channel, What: "dead letter", Err: r.tell(name, why)})
	}
	return nil
}

func (r *refused) keep(d Delivery, why error) (err error) {
	if r.kept == nil {
		if r.kept, err = r.hub.backend.Dead(r.dir); err != nil {
			r.kept = nil
			return err
		}
	}
	if err := r.kept.Add(d, why); err != nil {
		err = errors.Join(err, r.kept.Close()) // it is opened anew for the next
		r.kept = nil
		return err
	}
	return nil
}

func (r *refused) tell(name string, why error) error {
	if r.dir == "" {
		return fmt.Errorf("%w; %d %s in all, not kept: the node has no directory for them", why, r.counts[name], name)
	}
	return fmt.Errorf("%w; %d %s in all, kept: pulse journal ls %s", why, r.counts[name], name, r.dir)
}

// state is what was refused so far.
func (r *refused) state() netio.Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := netio.Refused{Channel: r.channel, Queue: r.hub.backend.Kind, Kept: r.dir, Reasons: map[string]uint64{}}
	for name, n := range r.counts {
		s.Reasons[name] = n
	}
	return s
}

func (r *refused) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		return nil
	}
	err := r.kept.Close()
	r.kept = nil
	return err
}

// Refused says what was refused of each channel that something was.
func (h *Hub) Refused() (all []netio.Refused) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.refused {
		if s := r.state(); len(s.Reasons) > 0 {
			all = append(all, s)
		}
	}
	return all
}
