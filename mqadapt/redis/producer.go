package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

const mostPipeline = 512 // commands in one

// The simple way is one XADD and its reply after the other: 10,000 a second. One pipeline for each Put would have the caller wait for it. So Put
// only copies, into a ring of places, and a goroutine sends: the places from sent to taken are its next pipeline. Counters only rise; a place
// belongs to the caller from settled+window on until taken passes it, to the goroutine until done does, and then to the caller again.

// producer puts envelopes into the stream. It belongs to one goroutine, but for Close, and has one of its own.
type producer struct {
	q       *Queue
	client  *redis.Client
	places  []place
	largest int

	mu      sync.Mutex
	taken   uint64 // envelopes
	done    uint64 // that have an outcome
	settled uint64 // whose outcome was told
	fault   error  // why it ended
	closed  bool

	gathered chan struct{} // one was taken
	landed   chan struct{} // outcomes came
	stop     chan struct{} // nothing more is taken
	over     chan struct{} // the goroutine has ended

	room int64 // entries that the stream takes, as far as is known; the goroutine's
	cmds []*redis.StringCmd
}

// place is where one envelope of the window is.
type place struct {
	envelope []byte
	parent   []byte // traceparent; empty: it has none
	outcome  mqadapt.Outcome
	refused  bool // it is not sent
}

func newProducer(q *Queue, c *redis.Client) *producer {
	p := &producer{q: q, client: c, places: make([]place, q.options.Window), largest: seal.HeaderSize + seal.MaxBody,
		gathered: make(chan struct{}, 1), landed: make(chan struct{}, 1), stop: make(chan struct{}), over: make(chan struct{})}
	if q.server.largest > 0 {
		p.largest = int(min(int64(p.largest), q.server.largest))
	}
	go p.run()
	return p
}

// Put copies as many as the window has places for.
func (p *producer) Put(batch []mqadapt.Envelope) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, p.q.fault(mqadapt.ErrClosed)
	}
	if p.fault != nil {
		if p.settled < p.done { // what is known comes first
			return 0, nil
		}
		return 0, p.fault
	}
	n := min(len(batch), len(p.places)-int(p.taken-p.settled))
	for i := range batch[:n] {
		p.place(p.taken+uint64(i)).fill(&batch[i], p.largest)
	}
	if n > 0 {
		p.taken += uint64(n)
		signal(p.gathered)
	}
	return n, nil
}

func (p *producer) place(n uint64) *place { return &p.places[n%uint64(len(p.places))] }

func (s *place) fill(e *mqadapt.Envelope, largest int) {
	size := e.Size()
	if s.refused = size > largest; s.refused {
		s.outcome = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: fmt.Errorf("redis: %w: %d bytes, at most %d", mqadapt.ErrRefused, size, largest)}
		return
	}
	if cap(s.envelope) < size {
		s.envelope = make([]byte, size)
	}
	s.envelope = s.envelope[:size]
	e.PutBytes(s.envelope)
	s.parent = appendParent(s.parent[:0], e)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Settle tells outcomes, in the order of Put.
func (p *producer) Settle(out []mqadapt.Outcome, wait time.Duration) (int, error) {
	n, err := p.settle(out)
	if n > 0 || err != nil || wait <= 0 || len(out) == 0 {
		return n, err
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		select {
		case <-p.landed:
			if n, err = p.settle(out); n > 0 || err != nil {
				return n, err
			}
		case <-end.C:
			return p.settle(out)
		}
	}
}

func (p *producer) settle(out []mqadapt.Outcome) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, p.q.fault(mqadapt.ErrClosed)
	}
	for ; n < len(out) && p.settled < p.done; n++ {
		out[n] = p.place(p.settled).outcome
		p.settled++
	}
	if n == 0 && p.fault != nil {
		return 0, p.fault
	}
	return n, nil
}

// run sends what has gathered until it is stopped and nothing is left, or the link ends.
func (p *producer) run() {
	defer close(p.over)
	for {
		p.mu.Lock()
		from, to := p.done, min(p.taken, p.done+mostPipeline)
		p.mu.Unlock()
		if from == to {
			select {
			case <-p.gathered:
				continue
			case <-p.stop:
			}
			p.mu.Lock() // Close waits: nothing is taken any more
			idle := p.taken == p.done
			p.mu.Unlock()
			if idle {
				return
			}
			continue
		}
		err := p.send(from, to)
		p.mu.Lock()
		p.done = to
		if err != nil {
			p.fault, p.taken = err, to // the rest has no outcome
		}
		p.mu.Unlock()
		signal(p.landed)
		if err != nil {
			return
		}
	}
}

// send sends one pipeline and writes the outcomes.
func (p *producer) send(from, to uint64) error {
	ctx := context.Background()
	upTo := to
	if p.q.options.MaxLen > 0 && !p.q.options.DropOldest {
		if err := p.look(ctx, int64(to-from)); err != nil {
			return p.unknown(from, to, err)
		}
		upTo = from + uint64(min(int64(to-from), p.room))
	}
	pipe := p.client.Pipeline()
	p.cmds = p.cmds[:0]
	for n := from; n < upTo; n++ {
		if s := p.place(n); !s.refused {
			cmd := redis.NewStringCmd(ctx, p.command(s)...)
			p.cmds = append(p.cmds, cmd)
			_ = pipe.Process(ctx, cmd) // a pipeline only notes it
		}
	}
	var replicas *redis.IntCmd
	if p.q.options.Replicas > 0 && len(p.cmds) > 0 {
		replicas = redis.NewIntCmd(ctx, "wait", p.q.options.Replicas, (p.q.options.Patience / 2).Milliseconds())
		_ = pipe.Process(ctx, replicas)
	}
	if len(p.cmds) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own error
	}
	p.room -= int64(len(p.cmds))
	return p.outcomes(from, upTo, to, p.replicated(replicas))
}

// replicated says what the replicas lack.
func (p *producer) replicated(w *redis.IntCmd) error {
	if w == nil {
		return nil
	}
	n, err := w.Result()
	if err == nil && n < int64(p.q.options.Replicas) {
		err = fmt.Errorf("%d of %d replicas have it", n, p.q.options.Replicas)
	}
	return err
}

// outcomes writes those of the places from to upTo, which were sent, and up to to, for which there is no room.
func (p *producer) outcomes(from, upTo, to uint64, lacks error) (ended error) {
	sent := 0
	for n := from; n < to; n++ {
		s := p.place(n)
		switch {
		case s.refused:
		case n >= upTo:
			s.outcome = mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: p.q.fault(fmt.Errorf("%w: %d entries are not acknowledged by every group",
				mqadapt.ErrFull, p.q.options.MaxLen))}
		default:
			name, err := p.cmds[sent].Result()
			sent++
			if err == nil && name == "" {
				err = errors.New("no reply")
			}
			switch {
			case err != nil:
				var final bool
				if s.outcome, final = p.q.verdict(err); final && ended == nil {
					ended = s.outcome.Why
				}
			case lacks != nil:
				s.outcome = mqadapt.Outcome{Why: p.q.fault(lacks)}
			default:
				p.q.accepted.Store(true)
				s.outcome = mqadapt.Outcome{Verdict: mqadapt.Accepted}
			}
		}
	}
	return ended
}

// unknown: nothing was sent, and the link has ended.
func (p *producer) unknown(from, to uint64, err error) error {
	err = p.q.fault(err)
	for n := from; n < to; n++ {
		if s := p.place(n); !s.refused {
			s.outcome = mqadapt.Outcome{Why: err}
		}
	}
	return err
}

// command is an envelope's XADD.
func (p *producer) command(s *place) []any {
	args := make([]any, 0, 10)
	args = append(args, "xadd", p.q.options.Stream)
	if p.q.options.DropOldest {
		args = append(args, "maxlen", "~", p.q.options.MaxLen)
	}
	args = append(args, "*", envelopeField, s.envelope)
	if len(s.parent) > 0 {
		args = append(args, parentField, s.parent)
	}
	return args
}

// look asks how many entries the stream takes, if it may be fewer than want, and trims when it may.
func (p *producer) look(ctx context.Context, want int64) error {
	if p.room >= want {
		return nil
	}
	most := p.q.options.MaxLen
	n, err := p.client.XLen(ctx, p.q.options.Stream).Result()
	if err == nil && most-n < want {
		if err = p.q.trim(ctx, p.client); err == nil || answered(err) { // there may be no stream yet
			n, err = p.client.XLen(ctx, p.q.options.Stream).Result()
		}
	}
	p.room = min(max(most-n, 0), max(most/8, want)) // others put, too
	return err
}

// Close sends what was taken, if the server answers within Patience, and ends.
func (p *producer) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return p.q.fault(mqadapt.ErrClosed)
	}
	p.closed = true
	p.mu.Unlock()
	p.q.release(p)
	close(p.stop)
	patience := time.NewTimer(p.q.options.Patience)
	defer patience.Stop()
	select {
	case <-p.over:
		return p.client.Close()
	case <-patience.C:
	}
	err := p.client.Close() // a command under way ends with its connection
	<-p.over
	return err
}
