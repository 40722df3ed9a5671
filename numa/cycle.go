package numa

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// maxWords is what futex_waitv takes, less the stop word.
const maxWords = 127

// cycle is one running loop. Only its own thread touches it, but for stop.
type cycle struct {
	workers  []Worker
	clocked  []Clocked
	sleepers []sleeper
	idle     Idle
	at       int // the worker whose turn it is

	words  []*uint32 // what to sleep on: the sleepers' words, then stop
	values []uint32

	stop *uint32 // 0 while the loop shall run; set once by halt. Apart, so that the loop polls a line of its own
}

// sleeper is a worker that can be woken, and its place among the workers.
type sleeper struct {
	Sleeper
	at int
}

func newCycle(idle Idle, ws []Worker) *cycle {
	c := &cycle{workers: ws, stop: &new([16]uint32)[0]}
	for at, w := range ws {
		if k, ok := w.(Clocked); ok {
			c.clocked = append(c.clocked, k)
		}
		if s, ok := w.(Sleeper); ok && len(c.sleepers) < maxWords {
			c.sleepers = append(c.sleepers, sleeper{s, at})
		}
	}
	c.idle = idle.settled(len(c.sleepers) == len(ws))
	c.words = make([]*uint32, len(c.sleepers)+1)
	c.values = make([]uint32, len(c.sleepers)+1)
	c.words[len(c.sleepers)] = c.stop
	return c
}

// halt ends turn after the current cycle, also when it sleeps.
func (c *cycle) halt() {
	atomic.StoreUint32(c.stop, 1)
	_, _ = sys.FutexWake(c.stop, 1) // an error would only mean that the nap runs out first
}

// turn runs cycles until halt or the first error.
func (c *cycle) turn() error {
	empty := 0 // cycles without work since the last with work
	for atomic.LoadUint32(c.stop) == 0 {
		n, err := c.once()
		if err != nil {
			return err
		}
		if n > 0 {
			empty = 0
			continue
		}
		switch c.idle.phase(empty) {
		case Spin:
			sys.Pause()
			empty++
		case Yield:
			sys.Yield()
			empty++
		case Park:
			c.park()
		}
	}
	return nil
}

// once lends the clock and lets every worker do its share.
func (c *cycle) once() (done int, err error) {
	if len(c.clocked) > 0 {
		now := time.Now()
		for _, k := range c.clocked {
			k.SetNow(now)
		}
	}
	for i, w := range c.workers {
		c.at = i
		n, err := w.Do()
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// park sleeps until a word changes, at most one nap. It does not sleep when a sleeper has work by now.
func (c *cycle) park() {
	for i, s := range c.sleepers {
		c.at = s.at
		word, value, ok := s.Arm()
		if !ok {
			sys.Pause()
			return
		}
		c.words[i], c.values[i] = word, value
	}
	if err := sys.FutexWaitv(c.words, c.values, c.idle.Nap); err != nil {
		// The kernel refuses the words, as when a mapping was cut short: the next Do says why. Meanwhile do not spin.
		time.Sleep(min(c.idle.Nap, napBlind))
	}
}

// current names the worker whose turn it is or was.
func (c *cycle) current() string {
	w := c.workers[c.at]
	if s, ok := w.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("worker %d (%T)", c.at, w)
}
