package transport

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

const (
	ringSuffix = ".ring"

	// batchSize is how many frames a subscriber takes from one ring before the next ring's turn.
	batchSize = 256

	// ownedLooks is for how many looks a place in a new ring may be another's before that is a fault: the node leaves places in rings that it
	// has just made, and is there for a moment.
	ownedLooks = 25

	// retryEvery is how long a ring that could not be attached is left alone.
	retryEvery = 500 * time.Millisecond
)

// feed is one publisher's ring as a subscriber reads it.
type feed struct {
	ring   *ring.Ring
	reader *ring.Reader
	path   string // empty: a ring within the process
	source uint64
	next   uint64 // the seq that comes next
	batch  []ring.Record
	heir   *feed // a later ring of the same source, read once this one is read to its end
}

// roster is the slow half of a Subscriber: which rings it reads. The node adds to it from another goroutine; Poll adopts
// what is new.
type roster struct {
	channel string
	options Channel
	changed atomic.Bool
	word    *uint32 // raised when a ring is added: what a parked loop sleeps on

	sleepers []numa.Sleeper // word's, then one per feed
	at       delivery       // Poll's

	mu      sync.Mutex
	late    bool // rings found from now on were made after the subscriber
	closed  bool
	files   map[string]fs.FileInfo // data files attached, by path
	paths   map[uint64]string      // and the paths, by source
	local   map[uint64]*ring.Ring  // rings within the process, by source
	refused map[string]refusal
	owned   map[string]int // looks at which a place was another's, by ring
	added   []*feed
	lost    uint64
	resumes map[uint64]uint64 // source → seq to go on with, of feeds that were dropped
}

// refusal is why a ring could not be attached, and when to try again.
type refusal struct {
	err   error
	again time.Time
}

func newSubscriber(channel string, c Channel) *Subscriber {
	s := &Subscriber{}
	s.channel, s.options, s.word = channel, c, new(uint32)
	s.files, s.paths, s.local = map[string]fs.FileInfo{}, map[uint64]string{}, map[uint64]*ring.Ring{}
	s.refused, s.owned, s.resumes = map[string]refusal{}, map[string]int{}, map[uint64]uint64{}
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

// opened ends the first look: whatever comes later was made later.
func (r *roster) opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = true
}

// addLocal adds the rings within the process that the subscriber has not got. One ring of a source is read at a time: a
// mirror that a receiver was closed with is followed by its successor's, and a mirror of a ring that is here is left alone.
func (r *roster) addLocal(rings []*ring.Ring, mirrors bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var faults []error
	for _, of := range rings {
		id := of.Info().Instance
		name := fmt.Sprintf("ring %x within the process", id)
		if had := r.local[id]; r.closed || had == of || had != nil && !over(had) || !r.due(name) {
			continue
		}
		if err := r.add(of, "", id, mirrors); err != nil {
			faults = append(faults, r.refuse(name, err))
			continue
		}
		r.local[id] = of
	}
	return errors.Join(faults...)
}

// addNamed adds the rings in dir that the subscriber has not got, publishers' before mirrors. A name whose file was replaced
// is another ring.
func (r *roster) addNamed(dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || r.closed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("transport: channel %q: %w", r.channel, err)
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Compare(rank(a.Name()), rank(b.Name()))
	})
	var faults []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Lstat(path)
		if !strings.HasSuffix(path, ringSuffix) || err != nil || r.files[path] != nil && os.SameFile(r.files[path], info) {
			continue
		}
		if !r.due(path) {
			continue
		}
		err = r.attach(path)
		if errors.Is(err, errTwin) {
			r.refused[path] = refusal{nil, time.Now().Add(retryEvery)}
			continue
		}
		if err != nil {
			faults = append(faults, r.refuse(path, err))
			continue
		}
		r.files[path] = info
		delete(r.owned, path)
	}
	return errors.Join(faults...)
}

// rank puts mirrors behind publishers' rings, which may be here too, and then are what is to be read.
func rank(name string) int {
	if isMirror(name) {
		return 1
	}
	return 0
}

// due reports whether a ring may be tried, and forgets an older refusal.
func (r *roster) due(name string) bool {
	if no, ok := r.refused[name]; ok && time.Now().Before(no.again) {
		return false
	}
	delete(r.refused, name)
	return true
}

// forgive has a ring tried again at once.
func (r *roster) forgive(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.refused, path)
}

// refuse remembers why a ring could not be attached, for Err and for the next try.
func (r *roster) refuse(name string, err error) error {
	if errors.Is(err, ring.ErrOwned) && r.late && r.owned[name] < ownedLooks {
		r.owned[name]++
		return nil
	}
	err = fmt.Errorf("transport: channel %q: %w", r.channel, err)
	r.refused[name] = refusal{err, time.Now().Add(retryEvery)}
	return err
}

// errTwin: another ring carries the same source and is read already.
var errTwin = errors.New("transport: a second ring of one source")

func (r *roster) attach(path string) error {
	of, err := ring.Attach(path, ring.Options{})
	if err != nil {
		return err
	}
	source := of.Info().Instance
	if had, ok := r.paths[source]; ok && had != path {
		err = errTwin
	} else {
		err = r.add(of, path, source, isMirror(path))
	}
	if err != nil {
		return errors.Join(err, of.Close())
	}
	r.paths[source] = path
	return nil
}

// add opens a reader on a ring: from the start in rings made after the subscriber, after what it had in rings it lost. What a
// mirror does not begin with was never due here.
func (r *roster) add(of *ring.Ring, path string, source uint64, mirror bool) error {
	o := ring.ReaderOptions{Mode: r.options.Mode, From: r.options.From, Name: r.options.Durable, Durable: r.options.Durable != "", Held: r.options.held}
	next, again := r.resumes[source]
	if r.late || again {
		o.From = ring.Oldest
	}
	reader, err := of.Reader(o)
	if err != nil {
		return err
	}
	f := &feed{ring: of, reader: reader, path: path, source: source, batch: make([]ring.Record, batchSize)}
	if r.late && !again && o.Name == "" && !mirror {
		next, again = 1, true // a ring made after the subscriber: all of it is due
	}
	missing := max(reader.Seq(), next) - next
	if err := sys.Guard(func() error { return f.pass(next) }); err != nil {
		return errors.Join(err, reader.Close())
	}
	if again { // the reader's own count may cover part of it
		r.lost += missing - reader.Lost()
	}
	delete(r.resumes, source)
	r.added = append(r.added, f)
	r.changed.Store(true)
	return numa.Wake(r.word)
}

// pass releases what comes before next: the subscriber had it. Where numbers are passed over, a batch may begin beyond what was
// asked for, and is put back.
func (f *feed) pass(next uint64) error {
	for f.reader.Seq() < next {
		n := f.reader.Peek(f.batch[:min(next-f.reader.Seq(), batchSize)])
		if n == 0 {
			break
		}
		if f.reader.Seq() > next {
			if err := f.putBack(n); err != nil {
				return err
			}
			continue
		}
		if err := f.reader.Release(n); err != nil {
			return err
		}
	}
	f.next = f.reader.Seq()
	return nil
}

// putBack makes the n records peeked last the next to peek.
func (f *feed) putBack(n int) error {
	at := f.reader.Position()
	for _, r := range f.batch[:n] {
		at -= (uint64(len(r)) + 7) &^ 7
	}
	return f.reader.Seek(at)
}

// adopt takes over what add left. It runs on the subscriber's own goroutine.
func (s *Subscriber) adopt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Store(false)
	for _, f := range s.added {
		if i := slices.IndexFunc(s.feeds, func(o *feed) bool { return o.source == f.source }); i >= 0 {
			last := s.feeds[i]
			for last.heir != nil {
				last = last.heir
			}
			last.heir = f
			continue
		}
		s.feeds = append(s.feeds, f)
		s.sleepers = append(s.sleepers, f.reader)
	}
	s.added = nil
}

// inherit puts the heir of the feed whose turn it is in its place: the feed is read to its end.
func (s *Subscriber) inherit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[s.turn]
	return errors.Join(s.succeed(f), f.close())
}

// succeed lets f's heir go on where f stopped, or takes f out if it has none.
func (s *Subscriber) succeed(f *feed) error {
	s.lost += f.reader.Lost()
	heir := f.heir
	if heir == nil {
		s.feeds = slices.Delete(s.feeds, s.turn, s.turn+1)
		s.sleepers = slices.Delete(s.sleepers, s.turn+1, s.turn+2)
		return nil
	}
	s.lost += max(heir.reader.Seq(), f.next) - f.next
	s.feeds[s.turn], s.sleepers[s.turn+1] = heir, heir.reader
	return heir.pass(f.next)
}

// empty says why there is no feed to poll.
func (s *Subscriber) empty() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("transport: subscriber of channel %q: %w", s.channel, ring.ErrClosed)
	}
	return nil
}

// settle ends a Poll that failed, or whose function closed the subscriber.
func (s *Subscriber) settle(err error) error {
	if s.ended {
		s.ended = false
		return errors.Join(err, s.Close())
	}
	if f := s.feeds[s.turn]; f.reader.Err() == nil && errors.Is(err, ring.ErrCorrupt) && f.ring.Sound() == nil {
		// The function met the fault in a ring of its own: what it was given comes again.
		return errors.Join(err, f.reader.Seek(f.reader.Cursor()))
	}
	return s.drop(err)
}

// drop takes the feed whose turn it is out of the roster, because of err. An evicted one comes back as a newcomer and
// goes on where it stopped.
func (s *Subscriber) drop(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[s.turn]
	err = errors.Join(err, s.succeed(f))
	s.resumes[f.source] = f.next
	if f.heir == nil {
		delete(s.paths, f.source)
		if errors.Is(err, ring.ErrEvicted) {
			delete(s.files, f.path)
			delete(s.local, f.source)
		}
	}
	return errors.Join(fmt.Errorf("transport: channel %q: %w", s.channel, err), f.close())
}

// Err returns what is wrong with rings of the channel that cannot be attached, nil when all is well. Poll goes on with
// the others, and they are tried again.
func (s *Subscriber) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []error
	for _, path := range slices.Sorted(maps.Keys(s.refused)) {
		faults = append(faults, s.refused[path].err)
	}
	return errors.Join(faults...)
}

// Lost returns how many messages this subscriber can never deliver: lapped, overwritten while it was away, or lost by the
// network on the way into a mirror. What a mirror that another process fills lost before it was found is not known, and not
// counted. It belongs to the goroutine that polls.
func (s *Subscriber) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.losses()
}

// losses is Lost of who holds mu.
func (s *Subscriber) losses() uint64 {
	lost := s.lost
	for _, f := range append(s.feeds[:len(s.feeds):len(s.feeds)], s.added...) {
		for ; f != nil; f = f.heir {
			lost += f.reader.Lost()
		}
	}
	return lost
}

// Publishers returns how many rings the subscriber reads. It belongs to the goroutine that polls.
func (s *Subscriber) Publishers() int {
	s.adopt()
	return len(s.feeds)
}

// Wait sleeps until there may be something to poll, at most timeout. It can return early.
func (s *Subscriber) Wait(timeout time.Duration) error {
	return sys.Guard(func() error {
		words, values := make([]*uint32, 0, len(s.sleepers)), make([]uint32, 0, len(s.sleepers))
		for i := range s.sleepers { // the newcomers' word last: an old kernel sleeps on the first alone
			word, value, ok := s.sleepers[len(s.sleepers)-1-i].Arm()
			if !ok {
				return nil
			}
			words, values = append(words, word), append(values, value)
		}
		return sys.FutexWaitv(words, values, timeout)
	})
}

// Close gives up the subscriber's cursors; those of a durable subscriber stay for its successor. Called by Poll's
// function, it takes effect after the frame at hand.
func (s *Subscriber) Close() error {
	if s.busy {
		s.ended = true
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("transport: subscriber of channel %q: %w", s.channel, ring.ErrClosed)
	}
	s.closed = true
	s.seen.Store64(seenLost, s.losses())
	var faults []error
	for _, f := range append(s.feeds, s.added...) {
		for ; f != nil; f = f.heir {
			faults = append(faults, f.close())
		}
	}
	s.feeds, s.added, s.sleepers = nil, nil, s.sleepers[:1]
	return errors.Join(faults...)
}

func (r *roster) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// close closes what the feed reads. Its heir is another's.
func (f *feed) close() error {
	err := f.reader.Close()
	if f.path != "" {
		err = errors.Join(err, f.ring.Close())
	}
	return err
}
