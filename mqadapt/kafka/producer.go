package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
)

// betweenTransactions is how long the client leaves the broker alone that is still writing down the end of the one before.
const betweenTransactions = 2 * time.Millisecond

// producer is a window of slots, and the session that carries them. Put and Settle belong to one goroutine. Promises come on the client's
// goroutine, one at a time, and settle slots in any order; a slot is passed from one to the other by its verdict, which is stored last.
type producer struct {
	q       *Queue
	slots   []slot
	head    uint64        // the oldest whose outcome was not told; Put and Settle only
	tail    atomic.Uint64 // the next to be taken; stored by Put
	settled atomic.Uint64 // slots that have an outcome, of all that were taken
	carried uint64        // transactions: the next slot that none has carried; keep only
	woken   chan struct{} // a slot was settled
	session atomic.Pointer[session]
	trouble atomic.Pointer[error] // why there is no session
	over    atomic.Pointer[error] // why there will be none

	broken chan *session // it can not go on
	filled chan struct{} // transactions: slots were taken
	ctx    context.Context
	stop   context.CancelFunc
	done   chan struct{}
	shutAt chan struct{} // closed by shut: nothing new
}

// slot is one envelope under way. Its memory is kept.
type slot struct {
	record  kgo.Record
	value   []byte
	header  [1]kgo.RecordHeader
	parent  []byte
	source  uint64
	by      *session
	promise func(*kgo.Record, error)
	no      error // transactions: why it is not to be carried
	why     error
	verdict atomic.Uint32 // 0: there is none; else that of mqadapt + 1
}

// session is a client and what it knows of the topic.
type session struct {
	*kgo.Client
	topic
}

func newProducer(q *Queue) (*producer, error) {
	p := &producer{q: q, slots: make([]slot, q.options.Window), woken: make(chan struct{}, 1), broken: make(chan *session, 1),
		filled: make(chan struct{}, 1), done: make(chan struct{}), shutAt: make(chan struct{})}
	for i := range p.slots {
		s := &p.slots[i]
		s.promise = func(_ *kgo.Record, err error) { p.landed(s, err) }
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	first, err := p.begin()
	if err != nil {
		p.stop()
		return nil, err
	}
	p.session.Store(first)
	go p.keep()
	return p, nil
}

// begin opens a client and learns the topic.
func (p *producer) begin() (*session, error) {
	o := &p.q.options
	ctx, cancel := context.WithTimeout(p.ctx, openWait)
	defer cancel()
	t, err := o.learn(ctx, p.q.client)
	if err != nil {
		return nil, err
	}
	opts := append(p.q.base[:len(p.q.base):len(p.q.base)], kgo.DefaultProduceTopic(o.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(o.Linger), kgo.MaxBufferedRecords(2*o.Window), kgo.ProducerBatchMaxBytes(t.batch),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if o.Transaction != "" {
		opts = append(opts, kgo.TransactionalID(o.Transaction), kgo.ConcurrentTransactionsBackoff(betweenTransactions))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w: %w", mqadapt.ErrOptions, err)
	}
	if _, _, err := cl.ProducerID(ctx); err != nil { // and with it the one before is fenced
		cl.Close()
		return nil, o.explain("producer of topic "+o.Topic, err)
	}
	return &session{cl, t}, nil
}

// Put copies what has room into slots and hands it to the client, which does not wait either.
func (p *producer) Put(batch []mqadapt.Envelope) (n int, err error) {
	if err := p.ended(); err != nil {
		return 0, err
	}
	by := p.session.Load()
	tail := p.tail.Load()
	for i := range batch {
		if tail-p.head == uint64(len(p.slots)) {
			break
		}
		p.take(p.at(tail), by, &batch[i])
		tail++
		n++
		p.tail.Store(tail)
	}
	if n > 0 && p.q.options.Transaction != "" {
		wake(p.filled)
	}
	return n, nil
}

// take fills a slot, and sends it unless a transaction will.
func (p *producer) take(s *slot, by *session, e *mqadapt.Envelope) {
	s.verdict.Store(0)
	s.by, s.source, s.no = by, e.Source, nil
	size := e.Size()
	switch {
	case by == nil:
		s.no = p.reason()
	case size > by.largest:
		s.no = fmt.Errorf("kafka: topic %s: %w: %d bytes, at most %d", p.q.options.Topic, mqadapt.ErrRefused, size, by.largest)
	}
	if s.no != nil {
		if p.q.options.Transaction == "" {
			p.settle(s, mqadapt.Rejected, s.no)
		}
		return
	}
	if cap(s.value) < size {
		s.value = make([]byte, size)
	}
	s.value = s.value[:size]
	e.PutBytes(s.value)
	s.record = kgo.Record{Value: s.value, Partition: by.of(e.Source), Headers: s.trace(e)}
	if p.q.options.Transaction == "" {
		by.TryProduce(context.Background(), &s.record, s.promise)
	}
}

func (p *producer) at(n uint64) *slot { return &p.slots[n%uint64(len(p.slots))] }

// reason is why there is no session.
func (p *producer) reason() error {
	if why := p.trouble.Load(); why != nil {
		return *why
	}
	return p.q.shutError()
}

// landed is a promise: the client's word on a slot.
func (p *producer) landed(s *slot, err error) {
	switch {
	case err == nil:
		p.settle(s, mqadapt.Accepted, nil)
		return
	case errors.Is(err, kgo.ErrClientClosed), errors.Is(err, kgo.ErrAborting), errors.Is(err, context.Canceled):
		p.settle(s, mqadapt.Unknown, p.reason())
		return
	}
	by := s.by
	told := p.q.options.explain("topic "+p.q.options.Topic, err)
	verdict := mqadapt.Unknown
	if certain(err) {
		verdict = mqadapt.Rejected
	}
	p.settle(s, verdict, told)
	if p.session.Load() == by {
		p.trouble.Store(&told)
		select {
		case p.broken <- by:
		default:
		}
	}
}

// certain reports whether the broker has not got what it answered so.
func certain(err error) bool {
	for _, no := range []error{kerr.MessageTooLarge, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed, kerr.InvalidRecord, kerr.PolicyViolation, kerr.ProducerFenced, kerr.InvalidProducerEpoch} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// settle gives a slot its outcome. From the store on it is Settle's.
func (p *producer) settle(s *slot, v mqadapt.Verdict, why error) {
	c := &p.q.counts
	switch {
	case v == mqadapt.Accepted:
		c.accepted.Add(1)
	case v == mqadapt.Unknown:
		c.unknown.Add(1)
	case errors.Is(why, mqadapt.ErrRefused):
		c.refused.Add(1)
	default:
		c.rejected.Add(1)
	}
	s.why = why
	s.verdict.Store(uint32(v) + 1)
	p.settled.Add(1)
	wake(p.woken)
}

// wake says that there is something, unless that was said already.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Settle tells the outcomes there are, in the order of Put.
func (p *producer) Settle(out []mqadapt.Outcome, wait time.Duration) (n int, err error) {
	if n = p.tell(out); n > 0 || len(out) == 0 {
		return n, nil
	}
	if err := p.ended(); err != nil || wait <= 0 || p.head == p.tail.Load() {
		return 0, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return p.tell(out), nil
		case <-p.shutAt:
			return 0, p.ended()
		case <-p.woken:
			if n = p.tell(out); n > 0 {
				return n, nil
			}
		}
	}
}

func (p *producer) tell(out []mqadapt.Outcome) (n int) {
	for tail := p.tail.Load(); n < len(out) && p.head < tail; n++ {
		s := p.at(p.head)
		v := s.verdict.Load()
		if v == 0 {
			break
		}
		out[n] = mqadapt.Outcome{Verdict: mqadapt.Verdict(v - 1), Why: s.why}
		s.why, s.by = nil, nil
		p.head++
	}
	return n
}

// ended says that the producer is at its end, and why.
func (p *producer) ended() error {
	select {
	case <-p.shutAt:
		return p.q.shutError()
	default:
	}
	if why := p.over.Load(); why != nil {
		return *why
	}
	return nil
}

// Close waits for what is under way, at most closeWait.
func (p *producer) Close() error { return p.q.release(p) }

func (p *producer) shut() error {
	close(p.shutAt)
	end := time.NewTimer(closeWait)
	defer end.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
wait:
	for p.settled.Load() < p.tail.Load() {
		select {
		case <-end.C:
			break wait
		case <-look.C:
		}
	}
	p.stop()
	<-p.done
	if s := p.session.Swap(nil); s != nil {
		s.Close()
	}
	return nil
}
