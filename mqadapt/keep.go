package mqadapt

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Bounds on the wait between two tries of Keep.
const (
	leastAgain = 50 * time.Millisecond
	mostAgain  = 5 * time.Second
)

// Keep does work until ctx ends: whenever it ends, because the link to a broker did or there is none, it is begun again, after a wait that
// grows up to a bound and is drawn by chance, so that the workers of many channels do not come back together. failed, if set, hears why.
// Work opens a Producer or a Consumer, and runs a Shipper or a Taker on it; its first error may tell the operator what to do.
//
// An error that no time heals ends it: ErrOptions, ErrFenced, ErrCorrupt or ErrClosed.
func Keep(ctx context.Context, work func(context.Context) error, failed func(error)) error {
	for wait := leastAgain; ; {
		began := time.Now()
		err := work(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, final := range []error{ErrOptions, ErrFenced, ErrCorrupt, ErrClosed} {
			if errors.Is(err, final) {
				return err
			}
		}
		if failed != nil && err != nil {
			failed(err)
		}
		if time.Since(began) > mostAgain { // it was well for a while
			wait = leastAgain
		}
		wait = min(mostAgain, leastAgain+rand.N(3*wait))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
