package numa

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// ErrTooManySpinners is returned by Run: one more loop that never parks would leave no core of GOMAXPROCS to the rest of the
// program, where a timer is then 20 ms late. Let the loop park, put its workers into another loop, or raise GOMAXPROCS.
var ErrTooManySpinners = errors.New("too many spinning loops")

// spinners counts the loops that run now and never park.
var spinners atomic.Int64

// Room returns how many more loops that never park may run: GOMAXPROCS−1 less those that do. Whoever starts several loops asks
// first and refuses all of them; Run refuses each in any case.
func Room() int { return max(runtime.GOMAXPROCS(0)-1-int(spinners.Load()), 0) }

// spin takes a place among the spinning loops.
func spin() error {
	for {
		n := spinners.Load()
		places := int64(runtime.GOMAXPROCS(0) - 1)
		if n >= places {
			return fmt.Errorf("%w: %d run, GOMAXPROCS allows %d", ErrTooManySpinners, n, places)
		}
		if spinners.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// unspin gives the place back.
func unspin() { spinners.Add(-1) }
