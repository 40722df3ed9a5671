package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
)

// transact carries every slot that was taken and has no outcome, all in one transaction: each is accepted with its end, or none. What is
// taken meanwhile waits for the next one, and so a transaction is as large as the one before took long, at most a window.
func (p *producer) transact() {
	for to := p.tail.Load(); p.carried < to; to = p.tail.Load() {
		s := p.session.Load()
		if s == nil { // fenced: nobody asks any more
			return
		}
		err := p.commit(s, to)
		if err == nil {
			p.finish(to, mqadapt.Accepted, nil)
			continue
		}
		told := p.q.options.explain("transaction "+p.q.options.Transaction, err)
		verdict := mqadapt.Rejected // it ended without being seen
		if !p.abort(s) {
			verdict = mqadapt.Unknown
		}
		p.trouble.Store(&told)
		p.end(s)
		p.finish(to, verdict, told)
		p.renew()
	}
}

// commit carries one transaction.
func (p *producer) commit(s *session, to uint64) error {
	if err := s.BeginTransaction(); err != nil {
		return err
	}
	var first kgo.FirstErrPromise
	for at := p.carried; at < to; at++ {
		one := p.at(at)
		if one.no != nil {
			continue
		}
		if one.by != s { // its partition was that of another session
			one.record.Partition = s.of(one.source)
		}
		s.TryProduce(context.Background(), &one.record, first.Promise())
	}
	if err := s.Flush(p.ctx); err != nil {
		return err
	}
	if err := first.Err(); err != nil {
		return err
	}
	return s.EndTransaction(p.ctx, kgo.TryCommit)
}

// abort ends a transaction that is not to be seen, and reports whether it is certain that it is not.
func (p *producer) abort(s *session) bool {
	ctx, cancel := context.WithTimeout(p.ctx, closeWait)
	defer cancel()
	return errors.Join(s.AbortBufferedRecords(ctx), s.EndTransaction(ctx, kgo.TryAbort)) == nil
}

// finish settles what a transaction carried.
func (p *producer) finish(to uint64, v mqadapt.Verdict, why error) {
	for ; p.carried < to; p.carried++ {
		if one := p.at(p.carried); one.no != nil {
			p.settle(one, mqadapt.Rejected, one.no)
		} else {
			p.settle(one, v, why)
		}
	}
}

// turnAway rejects what waits for a transaction while there can be none.
func (p *producer) turnAway() {
	if p.q.options.Transaction != "" {
		p.finish(p.tail.Load(), mqadapt.Rejected, p.reason())
	}
}
