package spans

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	// Dir is where the rings are, in a node's directory. No channel has a name with a dot in front.
	Dir = ".watch"

	suffix   = ".spans"
	capacity = 256 << 10
	queued   = 1024 // spans that wait for their goroutine
	most     = 64   // processes of one name
	retry    = time.Second
)

// Log is the spans of one process. Its methods may be called from any goroutine; nil is a Log that keeps nothing.
type Log struct {
	dir, name string
	queue     chan Span
	quit      chan struct{}
	done      sync.WaitGroup
	dropped   atomic.Uint64

	ring   *ring.Ring // from here on the goroutine's
	writer *ring.Writer
	again  time.Time // after an error nothing is opened before
}

// NewLog begins a log in a node's directory. Close ends it.
func NewLog(dir, name string) *Log {
	l := &Log{dir: filepath.Join(dir, Dir), name: name, queue: make(chan Span, queued), quit: make(chan struct{})}
	l.done.Go(l.run)
	return l
}

// Pass notes a span that begins and ends now, as a child of the context's, and returns the context that goes on.
func (l *Log) Pass(t seal.Trace, s Span) seal.Trace {
	if l == nil {
		return t
	}
	s.Start = time.Now().UnixNano()
	s.End = s.Start
	on := Child(t)
	l.Note(t, on, s)
	return on
}

// Child is a context with a span of its own, drawn at random.
func Child(t seal.Trace) seal.Trace {
	var id [8]byte
	for id == [8]byte{} {
		binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	}
	return t.In(id)
}

// Begin is a context that begins a trace: it has an id, and no span yet.
func Begin() (t seal.Trace) {
	for t.ID() == [16]byte{} {
		binary.LittleEndian.PutUint64(t[:], rand.Uint64())
		binary.LittleEndian.PutUint64(t[8:], rand.Uint64())
	}
	t[24] = seal.Sampled
	return t
}

// Note keeps a span, whose context was t before and is on behind it. What is not sampled nobody keeps.
func (l *Log) Note(t, on seal.Trace, s Span) {
	if l == nil || t.Flags()&seal.Sampled == 0 {
		return
	}
	s.Trace, s.Parent = on, t.Span()
	s.Channel, s.Medium = s.Channel[:min(len(s.Channel), maxString)], s.Medium[:min(len(s.Medium), maxString)]
	select {
	case l.queue <- s:
	default:
		l.dropped.Add(1)
	}
}

// Dropped is how many spans found the queue full, or no ring to be written to.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// run writes spans until Close, and then those that wait.
func (l *Log) run() {
	for {
		select {
		case s := <-l.queue:
			l.write(&s)
		case <-l.quit:
			for {
				select {
				case s := <-l.queue:
					l.write(&s)
				default:
					return
				}
			}
		}
	}
}

func (l *Log) write(s *Span) {
	if l.writer == nil && !l.open() {
		l.dropped.Add(1)
		return
	}
	err := sys.Guard(func() error { // somebody may cut the file short
		b, err := l.writer.Claim(s.size())
		if err != nil {
			return err
		}
		s.put(b)
		return l.writer.Commit(len(b))
	})
	if err != nil { // a reader that gates, which nobody here opens, or a file that is no good
		l.dropped.Add(1)
	}
}

// open makes the ring, or takes over that of a former life. Living processes of one name have one each.
func (l *Log) open() bool {
	if time.Now().Before(l.again) {
		return false
	}
	l.again = time.Now().Add(retry)
	if os.MkdirAll(l.dir, 0o700) != nil {
		return false
	}
	for i := range most {
		path := filepath.Join(l.dir, l.name+suffix)
		if i > 0 {
			path = filepath.Join(l.dir, fmt.Sprintf("%s.%d%s", l.name, i, suffix))
		}
		r, err := ring.Open(ring.Options{Path: path, Capacity: capacity})
		if err != nil {
			return false
		}
		w, err := r.Writer()
		if err == nil {
			l.ring, l.writer = r, w
			return true
		}
		_ = r.Close() // nobody uses it
		if !errors.Is(err, ring.ErrOwned) {
			return false
		}
	}
	return false
}

// Close writes what waits and ends the log. The ring stays for who reads it.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.quit)
	l.done.Wait()
	if l.writer == nil {
		return nil
	}
	return errors.Join(l.writer.Close(), l.ring.Close())
}
