package quic

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const (
	readBytes = 64 << 10                                 // room for what arrives, at first
	readMost  = 2 * (seal.HeaderSize + seal.MaxBody + 1) // and at most: an envelope or a greeting, and as much again
	busyNap   = 200 * time.Microsecond                   // between two tries at a mirror that another link is at
)

// lane is one channel of a link: a conversation of its own, on a stream of its own for as long as a connection stands. A writer and a reader
// serve it then; the peer is behind a lock.
type lane struct {
	link    *Link
	channel link.Channel
	id      uint32
	loose   bool // frames go as datagrams

	wake  chan struct{} // the writer has something to do
	heard atomic.Int64  // when something came last

	mu      sync.Mutex
	peer    *link.Peer
	greeted bool
	opening bool   // nothing was written to this connection yet
	out     []byte // the writer's, with split
	frames  uint64 // in it
	counted uint64 // that were in it, ever
	split
	gatherer func() error

	words  []*uint32 // armed: of the writer, and of the keeper while hung
	values []uint32
	hung   bool // keeper.mu
}

func newLane(l *Link, c link.Channel) (*lane, error) {
	o := l.options.Link
	o.Channels, o.Events = []link.Channel{c}, l.hear
	p, err := link.NewPeer(o)
	if err != nil {
		return nil, err
	}
	n := &lane{link: l, channel: c, id: seal.ChannelID(c.Name), wake: make(chan struct{}, 1), peer: p}
	n.gatherer = n.fill
	return n, nil
}

// now is the clock of all lanes: CLOCK_MONOTONIC, which stamps are of. It is looked at several times for each piece that arrives, and
// asking the kernel each time costs a call.
func now() time.Duration { return since + time.Since(began) }

var began, since = clocks()

// clocks reads both clocks at once: of some readings the pair that lies closest together.
func clocks() (began time.Time, since time.Duration) {
	least := time.Duration(math.MaxInt64)
	for range 8 {
		t := time.Now()
		m := time.Duration(sys.Monotonic())
		if apart := time.Since(t); apart < least {
			least, began, since = apart, t, m-apart/2
		}
	}
	return began, since
}

// kick wakes the writer.
func (n *lane) kick() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// changed reports whether one of the armed words has changed.
func (n *lane) changed() bool {
	for i, word := range n.words {
		if atomic.LoadUint32(word) != n.values[i] {
			return true
		}
	}
	return false
}

// carry carries the lane over a stream until the session ends. read is what was read of it already.
func (n *lane) carry(s *session, st *quic.Stream, read []byte) {
	n.mu.Lock()
	n.peer.Open(now())
	n.greeted, n.opening = false, true
	n.mu.Unlock()
	var reader sync.WaitGroup
	reader.Go(func() { s.end(n.read(s, st, read)) })
	s.end(n.write(s, st))
	reader.Wait()
	n.link.keeper.drop(n)
	n.mu.Lock()
	n.peer.Shut(s.cause())
	n.mu.Unlock()
}

// write writes what the peer has to say.
func (n *lane) write(s *session, st *quic.Stream) error {
	idle := dozes // of turns in a row in which there was nothing. It begins at 0 where frames come quicker than one at a time
	for s.ctx.Err() == nil {
		if err := n.gather(); err != nil {
			return err
		}
		if len(n.out) == 0 && len(n.datagrams) == 0 {
			if idle++; idle <= dozes {
				n.link.keeper.doze(n)
				select {
				case <-n.wake:
				case <-s.ctx.Done():
				}
			} else if n.hang(idle - dozes) {
				select {
				case <-n.wake:
				case <-s.ctx.Done():
				}
			}
			continue
		}
		switch {
		case n.frames > 1:
			idle = 0
		case n.frames == 1:
			idle = dozes
		default: // what was armed is not any more
			idle = min(idle, dozes)
		}
		if len(n.out) > 0 {
			if _, err := st.Write(n.out); err != nil {
				return err
			}
		}
		if err := n.scatter(s); err != nil {
			return err
		}
	}
	return nil
}

// gather copies what goes next: what is sent is copied anyhow, and a ring can so be removed while a stream takes its time.
func (n *lane) gather() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return sys.Guard(n.gatherer)
}

func (n *lane) fill() error {
	n.out = n.out[:0]
	n.split.reset()
	pieces, err := n.peer.Fill(now())
	if err != nil {
		return err
	}
	for _, p := range pieces {
		n.out = append(n.out, p...)
	}
	after, _ := n.peer.Frames()
	n.frames, n.counted = after-n.counted, after
	if len(n.out) == 0 {
		return nil
	}
	n.peer.Sent(len(n.out))
	if n.loose && !n.opening {
		n.out = n.apart(n.out)
	}
	n.opening = false
	return nil
}

// hang arms the rings and has the keeper wait on them. It reports false when there is something to send already; from the second time in a
// row on that is not believed.
func (n *lane) hang(idle int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link.keeper.drop(n)
	n.words, n.values = n.words[:0], n.values[:0]
	for _, s := range n.peer.Sleepers() {
		word, value, ok := s.Arm()
		if !ok {
			return idle > 1
		}
		n.words, n.values = append(n.words, word), append(n.values, value)
	}
	if len(n.words) > 0 {
		n.link.keeper.hang(n)
	}
	return true
}

// read gives the peer what arrives.
func (n *lane) read(s *session, st *quic.Stream, read []byte) error {
	buf := make([]byte, max(readBytes, len(read)))
	from, to := 0, copy(buf, read)
	for {
		if to > 0 {
			k, err := n.take(s, buf[from:to])
			if err != nil {
				return err
			}
			from += k
		}
		if from == to {
			from, to = 0, 0
		} else if len(buf)-to < readBytes/4 {
			if from == 0 && len(buf) < readMost {
				buf = append(buf, make([]byte, min(len(buf), readMost-len(buf)))...)
			}
			from, to = 0, copy(buf, buf[from:to])
		}
		k, err := st.Read(buf[to:])
		if to += k; err != nil && k == 0 {
			return err
		}
	}
}

// take has the peer take envelopes, and waits where another link is at their mirror.
func (n *lane) take(s *session, b []byte) (taken int, err error) {
	for {
		k, busy, err := n.took(s, b[taken:])
		if taken += k; err != nil || !busy {
			return taken, err
		}
		select {
		case <-time.After(busyNap):
		case <-s.ctx.Done():
			return taken, s.cause()
		}
	}
}

// took is one try of take. When the peer has to say something at once, the writer is woken; what may wait the keeper looks after.
func (n *lane) took(s *session, b []byte) (taken int, busy bool, err error) {
	n.mu.Lock()
	met, kick, at := false, false, now()
	err = sys.Guard(func() (err error) {
		if taken, busy, err = n.peer.Take(at, b); err != nil {
			return err
		}
		if !n.greeted {
			_, n.greeted = n.peer.Greeted()
			met = n.greeted
		}
		pieces, err := n.peer.Fill(at)
		kick = len(pieces) > 0
		n.heard.Store(int64(at))
		return err
	})
	n.mu.Unlock()
	if kick {
		n.kick()
	}
	if met {
		s.greeted()
	}
	n.link.hears(at)
	return taken, busy, err
}

// tend is what time brings to a lane, with a connection and without. It reports whether the writer has to be woken.
func (n *lane) tend() (ok bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	err = sys.Guard(func() error {
		pieces, err := n.peer.Fill(now())
		ok = len(pieces) > 0
		return err
	})
	return ok, err
}

func (n *lane) add(r *ring.Ring) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.peer.Add(n.channel.Name, r); err != nil {
		return err
	}
	n.kick()
	return nil
}

func (n *lane) remove(r *ring.Ring) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link.keeper.drop(n)
	n.kick()
	return n.peer.Remove(n.channel.Name, r)
}
