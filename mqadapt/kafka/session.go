package kafka

import (
	"errors"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

const (
	leastRenewal = 100 * time.Millisecond // between two tries to have the topic again
	mostRenewal  = time.Second
)

// keep runs beside Put and Settle until the producer is shut: it ends sessions that can not go on, begins others, and carries transactions.
func (p *producer) keep() {
	defer close(p.done)
	for {
		select {
		case <-p.ctx.Done():
			return
		case s := <-p.broken:
			if s == p.session.Load() {
				p.end(s)
				p.renew()
			}
		case <-p.filled:
			p.transact()
		}
	}
}

// end ends a session: what it has under way is settled as unknown, or by its transaction.
func (p *producer) end(s *session) {
	p.session.Store(nil)
	s.Close()
}

// renew begins another session as soon as the topic can be had, unless the last one was fenced.
func (p *producer) renew() {
	if p.fenced() {
		return
	}
	for pause := leastRenewal; ; pause = min(2*pause, mostRenewal) {
		p.turnAway()
		next, err := p.begin()
		if err == nil {
			p.q.counts.renewed.Add(1)
			p.session.Store(next)
			return
		}
		if p.ctx.Err() == nil {
			p.trouble.Store(&err)
		}
		if p.fenced() {
			return
		}
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// fenced ends the producer if that is why its session broke.
func (p *producer) fenced() bool {
	why := p.trouble.Load()
	if why == nil || !errors.Is(*why, mqadapt.ErrFenced) {
		return false
	}
	p.over.Store(why)
	return true
}
