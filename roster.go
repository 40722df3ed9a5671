package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

// batchSize is how many frames a subscriber takes from one ring before the next ring's turn.
const batchSize = 256

// feed is one publisher's ring as a subscriber reads it.
type feed struct {
	ring   *ring.Ring
	reader *ring.Reader
	own    bool // the ring was attached for this feed alone
	path   string
	source uint64
	next   uint64 // the seq that comes next, once something came
	batch  []ring.Record
}

// roster is the slow half of a Subscriber: which rings it reads. The node adds to it from another goroutine; Poll adopts
// what is new.
type roster struct {
	channel string
	options Channel
	late    bool // rings found from now on were made after the subscriber
	changed atomic.Bool
	word    *uint32 // raised when a ring is added: what a parked loop sleeps on

	sleepers []numa.Sleeper

	mu      sync.Mutex
	closed  bool
	seen    map[string]uint64 // path → instance of the ring, attached or refused
	mtime   time.Time         // of the channel's directory when it was last read
	added   []*feed
	fault   error
	lost    uint64
	resumes map[uint64]uint64 // source → seq to go on with, of feeds that failed
}

func newSubscriber(channel string, c Channel) *Subscriber {
	s := &Subscriber{}
	s.channel, s.options = channel, c
	s.word = new(uint32)
	s.seen, s.resumes = map[string]uint64{}, map[uint64]uint64{}
	s.sleepers = []numa.Sleeper{newcomers{&s.roster}}
	return s
}

// newcomers lets a loop sleep until a publisher appears.
type newcomers struct{ *roster }

// Arm returns the word that add raises.
func (n newcomers) Arm() (word *uint32, value uint32, ok bool) {
	value = atomic.LoadUint32(n.word)
	return n.word, value, !n.changed.Load()
}

// news lists the rings in dir that the subscriber has not seen. It reads a directory again only after it changed.
func (r *roster) news(dir string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || info.ModTime().Equal(r.mtime) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	// A change within the clock's grain of this look may not move the time again: look once more until it is old.
	if time.Since(info.ModTime()) > time.Second {
		r.mtime = info.ModTime()
	}
	var names []string
	for _, e := range entries {
		if isRing(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// add gives the subscriber a ring, unless it has it. own says that the ring was attached for it and is closed with it.
func (r *roster) add(of *ring.Ring, own bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	info := of.Info()
	path := info.Path
	if path == "" {
		path = fmt.Sprint(info.Instance)
	}
	if r.closed || r.seen[path] == info.Instance {
		if own {
			return of.Close()
		}
		return nil
	}
	r.seen[path] = info.Instance
	f := &feed{ring: of, own: own, path: path, source: info.Instance, batch: make([]ring.Record, batchSize)}
	if err := r.attach(f); err != nil {
		delete(r.seen, path)
		if own {
			err = errors.Join(err, of.Close())
		}
		return err
	}
	r.added = append(r.added, f)
	r.changed.Store(true)
	_ = numa.Wake(r.word) // refused only for a word that is not there
	return nil
}

// attach opens the feed's reader: from the start in rings made after the subscriber, after what it had in rings it lost.
func (r *roster) attach(f *feed) error {
	o := ring.ReaderOptions{Mode: r.options.Mode, From: r.options.From, Name: r.options.Durable, Durable: r.options.Durable != ""}
	next, again := r.resumes[f.source]
	if r.late || again {
		o.From = ring.Oldest
	}
	var err error
	if f.reader, err = f.ring.Reader(o); err != nil {
		return err
	}
	r.lost += f.reader.Lost()
	if again && f.reader.Seq() > next {
		r.lost += f.reader.Seq() - next
	}
	f.next = max(next, f.reader.Seq())
	for again && f.reader.Seq() < next { // what it had before
		n := f.reader.Peek(f.batch[:min(next-f.reader.Seq(), batchSize)])
		if n == 0 {
			break
		}
		if err := f.reader.Release(n); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over what add left. It runs on the subscriber's own goroutine.
func (s *Subscriber) adopt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Store(false)
	for _, f := range s.added {
		s.feeds = append(s.feeds, f)
		s.sleepers = append(s.sleepers, f.reader)
	}
	s.added = nil
}

// drop takes the feed whose turn it is out of the roster, because of err. It may come back as a newcomer, and then goes
// on where it stopped.
func (s *Subscriber) drop(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn >= len(s.feeds) {
		return err
	}
	f := s.feeds[s.turn]
	s.feeds = append(s.feeds[:s.turn:s.turn], s.feeds[s.turn+1:]...)
	s.sleepers = append(s.sleepers[:s.turn+1:s.turn+1], s.sleepers[s.turn+2:]...)
	if f.next > 0 {
		s.resumes[f.source] = f.next
	}
	if errors.Is(err, ring.ErrEvicted) {
		delete(s.seen, f.path)
		s.mtime = time.Time{}
	}
	return errors.Join(fmt.Errorf("transport: channel %q: %w", s.channel, err), f.close())
}

// note keeps the last fault of the look for new rings, for Err.
func (r *roster) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

// Err returns what is wrong with a ring of the channel that cannot be attached, nil when all is well. Poll goes on with
// the others.
func (s *Subscriber) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Lost returns how many messages this subscriber can never deliver: lapped, or overwritten while it was away.
func (s *Subscriber) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.lost
	for _, f := range s.feeds {
		lost += f.reader.Lost()
	}
	return lost
}

// Publishers returns how many rings the subscriber reads.
func (s *Subscriber) Publishers() int {
	if s.changed.Load() {
		s.adopt()
	}
	return len(s.feeds)
}

// Wait sleeps until there may be something to poll, at most timeout. It can return early.
func (s *Subscriber) Wait(timeout time.Duration) error {
	words, values := make([]*uint32, 0, len(s.sleepers)), make([]uint32, 0, len(s.sleepers))
	for _, sl := range s.sleepers {
		word, value, ok := sl.Arm()
		if !ok {
			return nil
		}
		words, values = append(words, word), append(values, value)
	}
	return sys.FutexWaitv(words, values, timeout)
}

// Close gives up the subscriber's cursors; those of a durable subscriber stay for its successor.
func (s *Subscriber) Close() error { return s.shut() }

func (s *Subscriber) shut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var faults []error
	for _, f := range append(s.feeds, s.added...) {
		faults = append(faults, f.close())
	}
	s.feeds, s.added, s.sleepers = nil, nil, s.sleepers[:1]
	return errors.Join(faults...)
}

func (f *feed) close() error {
	err := ignoreClosed(f.reader.Close())
	if f.own {
		err = errors.Join(err, f.ring.Close())
	}
	return err
}

// close gives the ring of a publisher up.
func (p *Publisher) close() error {
	return errors.Join(p.Writer.Close(), p.closeRing())
}

func (p *Publisher) closeRing() error {
	if p.ring.Info().Path == "" {
		return nil // the node keeps rings within the process for their subscribers
	}
	return p.ring.Close()
}

// shut is close for a publisher that may be closed already.
func (p *Publisher) shut() error { return ignoreClosed(p.Writer.Close()) }
