package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

// queueNear is an adapter's lane: an envelope for each message.
type queueNear struct {
	depot    depot
	queue    mqadapt.Queue
	producer mqadapt.Producer
	batch    []mqadapt.Envelope
	out      []mqadapt.Outcome
	next     uint64 // number of the next message, from 1
	accepted uint64
}

func newQueueNear(s laneSpec, seed uint64) (*queueNear, error) {
	l := &queueNear{out: make([]mqadapt.Outcome, brokerWindow), next: 1}
	var err error
	if l.depot, err = newDepot(s); err != nil {
		return nil, err
	}
	if l.queue, err = l.depot.open(); err != nil {
		return nil, errors.Join(err, l.depot.close())
	}
	if l.producer, err = l.queue.Producer(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	payload := newPayload(seed, s.Size)
	for range s.Batch {
		body := make([]byte, recordHead+s.Size)
		binary.LittleEndian.PutUint64(body, uint64(len(body)))
		copy(body[recordHead:], payload)
		l.batch = append(l.batch, mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: 1, Epoch: 1}, Body: body})
	}
	return l, nil
}

func (l *queueNear) run(s *slice) error {
	before := l.accepted
	for more := true; more; more = s.counting(s.clock.now(), l.accepted) {
		for i := range l.batch {
			e := &l.batch[i]
			e.Seq = l.next + uint64(i)
			binary.LittleEndian.PutUint64(e.Body[recordHead:], e.Seq)
		}
		n, err := l.producer.Put(l.batch)
		if err != nil {
			return err
		}
		l.next += uint64(n)
		wait := time.Duration(0)
		if n < len(l.batch) {
			wait = time.Millisecond
		}
		if err := errors.Join(l.settle(wait), s.look()); err != nil {
			return err
		}
	}
	for l.accepted+1 < l.next {
		if err := errors.Join(l.settle(time.Millisecond), s.look()); err != nil {
			return err
		}
	}
	s.sent = l.accepted - before
	return l.depot.holds(l.accepted)
}

func (l *queueNear) settle(wait time.Duration) error {
	n, err := l.producer.Settle(l.out, wait)
	if err != nil {
		return err
	}
	for i := range l.out[:n] {
		if l.out[i].Verdict != mqadapt.Accepted {
			return fmt.Errorf("bench: %s: %w", l.out[i].Verdict, l.out[i].Why)
		}
	}
	l.accepted += uint64(n)
	return nil
}

func (l *queueNear) close() error { return errors.Join(l.queue.Close(), l.depot.close()) }
