package queuetest

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// flaky is a producer over a bad link: it takes fewer than it is offered, loses envelopes and outcomes, and rejects one while it accepts the
// next. What it calls accepted is.
type flaky struct {
	mqadapt.Producer
	rnd     *rand.Rand
	pending []mqadapt.Outcome
	harm    int // in a hundred
}

var errWeather = errors.New("queuetest: bad weather")

func (f *flaky) Put(batch []mqadapt.Envelope) (n int, err error) {
	for i := range batch[:f.rnd.IntN(len(batch)+1)] {
		roll := f.rnd.IntN(100)
		switch {
		case roll < f.harm/2: // lost on the way
			f.pending = append(f.pending, mqadapt.Outcome{Why: errWeather})
		case roll < f.harm*3/4:
			f.pending = append(f.pending, mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: mqadapt.ErrFull})
		default:
			o, err := f.through(batch[i : i+1])
			if err != nil {
				return n, err
			}
			if roll < f.harm { // it arrived, and nobody learns of it
				o = mqadapt.Outcome{}
			}
			f.pending = append(f.pending, o)
		}
		n++
	}
	return n, nil
}

func (f *flaky) through(one []mqadapt.Envelope) (mqadapt.Outcome, error) {
	var out [1]mqadapt.Outcome
	for taken := 0; ; {
		if taken == 0 {
			n, err := f.Producer.Put(one)
			if err != nil {
				return out[0], err
			}
			taken = n
		}
		if n, err := f.Producer.Settle(out[:], 100*time.Millisecond); n == 1 || err != nil {
			return out[0], err
		}
	}
}

func (f *flaky) Settle(out []mqadapt.Outcome, _ time.Duration) (int, error) {
	n := copy(out, f.pending[:f.rnd.IntN(len(f.pending)+1)])
	f.pending = append(f.pending[:0], f.pending[n:]...)
	return n, nil
}
