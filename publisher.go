package transport

import (
	"errors"
	"sync/atomic"

	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// Publisher writes messages into a channel. It belongs to one goroutine at a time. Claim, Commit, Abort, the batch calls
// and SetStamp are those of its ring's Writer, bare: where somebody might cut the ring's file short, call them in a
// numa.Loop or under Guard, which turn the fault into ring.ErrCorrupt; Send does so by itself. The zero Publisher is not valid: use Node.Publisher.
type Publisher struct {
	*ring.Writer
	ring    *ring.Ring
	channel string
	source  uint64
	shared  bool // the ring has a path
	closed  atomic.Bool

	spans  *spans.Log // nil: nobody keeps them
	every  int        // one of so many begins a trace; 0: none
	due    uint64     // number of that one
	traced uint64     // number of the message that Trace was called for last
}

// Send publishes a copy of msg. It answers ring.ErrFull, ring.ErrTooLarge or ring.ErrEmpty, and then msg was not sent.
func (p *Publisher) Send(msg []byte) error {
	return sys.Guard(func() error {
		p.Sample()
		b, err := p.Claim(len(msg))
		if err != nil {
			return err
		}
		copy(b, msg)
		return p.Commit(len(msg))
	})
}

// Source returns the number that names this publisher's ring in every frame.
func (p *Publisher) Source() uint64 { return p.source }

// Close publishes what is staged and gives the ring up; a publisher of the same Source may take it over.
func (p *Publisher) Close() error {
	p.closed.Store(true)
	err := p.Writer.Close()
	if p.shared {
		return errors.Join(err, p.ring.Close())
	}
	return err // a ring within the process is its node's
}
