package rabbitmq

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// producer is a window of slots. Put fills them, the goroutine work publishes them in the same order, Settle empties them. A publish may wait
// for the broker as long as it likes: nobody waits for it.
type producer struct {
	q *Queue
	*session
	slots     []slot
	taken     atomic.Uint64 // written by Put
	published atomic.Uint64 // written by work
	settled   uint64        // Settle only
	returns   chan amqp.Return
	fresh     chan struct{}              // Put took something
	progress  chan struct{}              // work published something
	stop      chan struct{}              // closed by shut
	stopped   chan struct{}              // work is over
	last      *amqp.DeferredConfirmation // published last; work's, until stopped
	over      atomic.Bool
	lost      bool      // Settle only: the end was counted
	since     time.Time // Settle only: when the oldest envelope was first seen to wait for its confirm
}

// slot is one envelope that was taken. Its memory is used again.
type slot struct {
	bytes    []byte
	id       string
	headers  amqp.Table
	why      error // it is not published at all
	back     bool  // the broker has sent it back
	deferred *amqp.DeferredConfirmation
}

// spare is room for returns beside the window: the library waits for room while it holds the connection.
const spare = 16

func newProducer(q *Queue) (*producer, error) {
	s, err := q.options.dial("producer")
	if err != nil {
		return nil, err
	}
	defer s.hurry(&q.options)()
	p := &producer{q: q, session: s, slots: make([]slot, q.options.Window), fresh: make(chan struct{}, 1), progress: make(chan struct{}, 1),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	p.returns = s.ch.NotifyReturn(make(chan amqp.Return, q.options.Window+spare))
	err = s.ch.ExchangeDeclarePassive(q.options.Exchange, q.options.ExchangeKind, true, false, false, false, nil)
	if err == nil {
		err = s.ch.Confirm(false)
	}
	if err != nil {
		s.close(closeWait)
		return nil, q.options.explain("exchange "+q.options.Exchange, err)
	}
	go p.work()
	return p, nil
}

// Put copies envelopes into the window.
func (p *producer) Put(batch []mqadapt.Envelope) (n int, err error) {
	if p.over.Load() {
		return 0, p.q.overError()
	}
	taken := p.taken.Load()
	for n < len(batch) && taken-p.settled < uint64(len(p.slots)) {
		p.slots[taken%uint64(len(p.slots))].fill(&batch[n], p.q.limit.Load())
		n++
		taken++
	}
	if n > 0 {
		p.taken.Store(taken)
		signal(p.fresh)
		return n, nil
	}
	return 0, p.endError() // what has an outcome is told by Settle first
}

func (s *slot) fill(e *mqadapt.Envelope, limit int64) {
	s.why, s.back, s.deferred, s.headers = nil, false, nil, nil
	size := e.Size()
	switch {
	case len(e.Body) > seal.MaxBody:
		s.why = fmt.Errorf("rabbitmq: %w: a body of %d bytes, at most %d", mqadapt.ErrRefused, len(e.Body), seal.MaxBody)
		return
	case limit > 0 && int64(size) > limit:
		s.why = fmt.Errorf("rabbitmq: %w: %w: %d bytes, at most %d (max_message_size)", mqadapt.ErrRefused, ErrLimit, size, limit)
		return
	}
	if cap(s.bytes) < size {
		s.bytes = make([]byte, size)
	}
	s.bytes = s.bytes[:size]
	e.PutBytes(s.bytes)
	s.id = messageID(&e.Header)
	s.headers = traceHeaders(e)
}

// work publishes what was taken, in order, until the connection ends or the producer is closed and everything is out.
func (p *producer) work() {
	defer close(p.stopped)
	o := &p.q.options
	for next := uint64(0); ; next++ {
		for stop := p.stop; p.taken.Load() == next || p.blocked.Load(); {
			select {
			case <-p.fresh:
			case <-p.changed:
			case <-p.ended:
				return
			case <-stop:
				if p.taken.Load() == next || p.blocked.Load() {
					return
				}
			}
		}
		s := &p.slots[next%uint64(len(p.slots))]
		if s.why == nil {
			d, err := p.ch.PublishWithDeferredConfirmWithContext(context.Background(), o.Exchange, o.RoutingKey, true, false, amqp.Publishing{
				Headers: s.headers, ContentType: contentType, DeliveryMode: amqp.Persistent, MessageId: s.id, Body: s.bytes})
			if err != nil {
				<-p.ended // the library is about to say why
				return
			}
			s.deferred, p.last = d, d
		}
		p.published.Store(next + 1)
		signal(p.progress)
	}
}

// signal wakes who waits, or who will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Settle writes the outcomes of the oldest envelopes.
func (p *producer) Settle(out []mqadapt.Outcome, wait time.Duration) (n int, err error) {
	if p.over.Load() {
		return 0, p.q.overError()
	}
	var timer <-chan time.Time
	for n < len(out) {
		if p.settled == p.taken.Load() {
			if n == 0 {
				err = p.endError()
			}
			return n, err
		}
		o, ok := p.outcome(&p.slots[p.settled%uint64(len(p.slots))])
		if ok {
			out[n] = o
			n++
			p.settled++
			p.since = time.Time{}
			continue
		}
		if n > 0 {
			return n, nil
		}
		err := p.endError()
		if err == nil {
			err = p.silent()
		}
		if err != nil || wait <= 0 {
			return 0, err
		}
		if timer == nil {
			t := time.NewTimer(wait)
			defer t.Stop()
			timer = t.C
		}
		if !p.await(timer) {
			return 0, nil
		}
	}
	return n, nil
}

// silent ends a connection whose broker takes and does not confirm: after a restart a queue may never answer for what came too early.
func (p *producer) silent() error {
	switch now := time.Now(); {
	case p.blocked.Load() || p.published.Load() <= p.settled:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = now
	case now.Sub(p.since) > p.q.options.Patience:
		_ = p.line.Close() // it is told as the connection's end
		return fmt.Errorf("rabbitmq: %s at %s: %w: nothing was confirmed for %s", p.q.options.Name, p.q.options.host(), ErrLink, p.q.options.Patience)
	}
	return nil
}

// await waits until the oldest envelope may have an outcome. It reports false when there is no time left.
func (p *producer) await(timer <-chan time.Time) bool {
	var done <-chan struct{}
	if s := &p.slots[p.settled%uint64(len(p.slots))]; p.published.Load() > p.settled && s.deferred != nil {
		done = s.deferred.Done()
	}
	select {
	case <-done:
	case <-p.progress:
	case <-p.ended:
	case <-timer:
		return false
	}
	return true
}

// outcome is that of the oldest envelope, if it has one. Confirms of a connection that ended are none.
func (p *producer) outcome(s *slot) (o mqadapt.Outcome, ok bool) {
	if p.published.Load() <= p.settled {
		return o, false
	}
	if s.why != nil {
		p.q.counts.refused.Add(1)
		return mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: s.why}, true
	}
	select {
	case <-s.deferred.Done():
	default:
		return o, false
	}
	if s.deferred.Acked() {
		p.takeReturns()
		if s.back {
			p.q.counts.returned.Add(1)
			return mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: fmt.Errorf("rabbitmq: exchange %s, key %s: %w: provision it",
				p.q.options.Exchange, p.q.options.RoutingKey, ErrUnroutable)}, true
		}
		p.q.counts.accepted.Add(1)
		return mqadapt.Outcome{Verdict: mqadapt.Accepted}, true
	}
	if p.ch.IsClosed() { // set before the library gives its confirms up
		<-p.ended
		return o, false
	}
	p.q.counts.rejected.Add(1)
	return mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: fmt.Errorf("rabbitmq: %s: %w: a group's queue is at MaxLength or MaxBytes; consume it or raise them",
		p.q.options.Name, mqadapt.ErrFull)}, true
}

// takeReturns marks what the broker has sent back. A return comes before its confirm, and the library hands it on before it looks at that.
func (p *producer) takeReturns() {
	for {
		select {
		case r, ok := <-p.returns:
			if !ok {
				p.returns = nil
				return
			}
			for i := p.settled; i < p.published.Load(); i++ {
				if s := &p.slots[i%uint64(len(p.slots))]; !s.back && s.why == nil && s.id == r.MessageId {
					s.back = true
					break
				}
			}
		default:
			return
		}
	}
}

// endError is why the connection ended; nil while it lives.
func (p *producer) endError() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	if p.why == nil {
		return p.q.overError()
	}
	if !p.lost {
		p.lost = true
		p.q.learn(p.why)
	}
	return p.why
}

// Close has what was taken published and confirmed, unless the broker does not take it in time.
func (p *producer) Close() error { return p.q.release(p) }

func (p *producer) shut() {
	p.over.Store(true)
	close(p.stop)
	timer := time.After(closeWait)
	select {
	case <-p.stopped:
		if d := p.last; d != nil { // the broker confirms in order, nearly
			select {
			case <-d.Done():
			case <-p.ended:
			case <-timer:
			}
		}
	case <-timer:
	}
	p.close(closeWait)
	<-p.ended
	<-p.stopped
}
