package mqadapt

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// timing is where a worker records how old messages are. Once set has returned, nothing is recorded in what was there before. A nil timing keeps
// nothing.
type timing struct {
	on  atomic.Bool
	now time.Duration // the worker's

	mu     sync.Mutex
	spread *netio.Spread
}

func (t *timing) set(s *netio.Spread) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spread = s
	t.on.Store(s != nil)
}

// look reads the clock, once for all that follows.
func (t *timing) look() {
	if t != nil && t.on.Load() {
		t.now = time.Duration(sys.Monotonic())
	}
}

// put records the ages of envelopes that a queue was given.
func (t *timing) put(all []flight) {
	if t == nil || !t.on.Load() || len(all) == 0 {
		return
	}
	t.look()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range all {
		if t.spread != nil {
			netio.Age(t.spread, t.now, all[i].stamp)
		}
	}
}

// take records the age of a run that is in its mirror.
func (t *timing) take(run []byte) {
	if t == nil || !t.on.Load() || len(run) < ring.HeaderSize {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	netio.AgeOf(t.spread, t.now, run)
}
