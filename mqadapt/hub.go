package mqadapt

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/alphapulse/transport/netio"
)

// Backlogged is a queue that can say how many envelopes a group has not acknowledged. A channel leaves a queue for another way only when
// that is none.
type Backlogged interface {
	// Backlog is about that number, but for 0: then the group had acknowledged all that this queue's producers had accepted before the call.
	// What is under way to a member counts as not acknowledged. It may be called from any goroutine, beside a producer, and ends with the
	// queue's Close or within a bound of its own.
	Backlog(group string) (envelopes uint64, err error)
}

// Backend is one kind of queue as a Hub needs it.
type Backend struct {
	// Kind is what a topology file calls it.
	Kind string

	// Name tells queues apart: lines of one name are one queue. nil: the line's queue, and for a queue of one node that too.
	Name func(netio.QueueLine) string

	// Open opens the queue of a line. It may wait for a server, within a bound of its own, and is asked again after an error.
	Open func(netio.QueueLine) (Queue, error)

	// Dead opens where dead letters are kept, a directory that belongs to them. nil: they are counted and told, and not kept.
	Dead func(dir string) (Dead, error)
}

// Hub joins a node to queues of one kind: it runs a Shipper for each line that goes in and a Taker for each that comes out, each on a
// goroutine, and opens them again when their queue fails. The zero Hub is not valid: use NewHub.
type Hub struct {
	site    netio.QueueSite
	backend Backend

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]bool
	taking map[takeKey]*taking

	refused map[string]*refused // by channel; never taken out, but by Close
}

type takeKey struct{ channel, name, group string }

var _ netio.Refuser = (*Hub)(nil)

// NewHub joins a node to the queues of a backend.
func NewHub(site netio.QueueSite, b Backend) *Hub {
	if b.Name == nil {
		b.Name = NameOf
	}
	if site.Notes == nil {
		site.Notes = func(netio.Note) {}
	}
	return &Hub{site: site, backend: b, open: map[io.Closer]bool{}, taking: map[takeKey]*taking{}, refused: map[string]*refused{}}
}

// NameOf is the name of a line's queue: as the topology says, and for one of several nodes that take the same channel with that node.
func NameOf(l netio.QueueLine) string {
	if l.To == "" {
		return l.Queue
	}
	return l.Queue + ".to." + l.To
}

// Ship runs a Shipper for a line.
func (h *Hub) Ship(l netio.QueueLine) (netio.QueueWay, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("mqadapt: %s: %w", h.backend.Kind, ErrClosed)
	}
	w := newShipping(h, l)
	h.open[w] = true
	return w, nil
}

// Take runs a Taker for a line, unless one takes its queue for its group already.
func (h *Hub) Take(l netio.QueueLine) (io.Closer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("mqadapt: %s: %w", h.backend.Kind, ErrClosed)
	}
	key := takeKey{l.Channel, h.backend.Name(l), l.Group}
	t := h.taking[key]
	if t == nil {
		if h.refused[l.Channel] == nil {
			h.refused[l.Channel] = newRefused(h, l.Channel)
		}
		t = newTaking(h, l, h.refused[l.Channel])
		h.taking[key] = t
	}
	u := &user{hub: h, key: key}
	t.users = append(t.users, u)
	return u, nil
}

// user is one line that a taking serves.
type user struct {
	hub *Hub
	key takeKey

	received *netio.Spread // under the hub's lock
}

// Close ends the taking with its last user.
func (u *user) Close() error {
	u.hub.mu.Lock()
	t := u.hub.taking[u.key]
	i := -1
	if t != nil {
		i = slices.Index(t.users, u)
	}
	if i < 0 {
		u.hub.mu.Unlock()
		return nil
	}
	last := len(t.users) == 1
	if last {
		delete(u.hub.taking, u.key)
	} else {
		t.users = slices.Delete(t.users, i, i+1)
		t.time()
	}
	u.hub.mu.Unlock()
	if !last {
		return nil
	}
	return t.end()
}

// Close ends what runs. What is not accepted stays in the rings, what is not taken in the queues.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.closed = true
	open, taking := h.open, h.taking
	h.open, h.taking = nil, nil
	h.mu.Unlock()
	var faults []error
	for c := range open {
		faults = append(faults, c.Close())
	}
	for _, t := range taking {
		faults = append(faults, t.end())
	}
	for _, r := range h.refused { // no taker is left
		faults = append(faults, r.close())
	}
	return errors.Join(faults...)
}

// left forgets a way that was closed.
func (h *Hub) left(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, c)
}

// trouble tells operators of a fault, once until it is another.
func (h *Hub) trouble(said *string, l *netio.QueueLine, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if *said == text {
		return
	}
	*said = text
	what := "trouble"
	if err == nil {
		what = "recovered"
	}
	h.site.Notes(netio.Note{Medium: h.backend.Kind, Node: l.To, Channel: l.Channel, What: what, Err: err})
}
