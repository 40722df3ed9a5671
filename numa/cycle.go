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
	more   bool // there are more words than one sleep takes

	stop *uint32 // 0 while the loop shall run; set once by halt. Apart, so that the loop polls a line of its own
}

// sleeper is a worker that can be woken, and its place among the workers.
type sleeper struct {
	one   Sleeper
	group Group // instead of one
	at    int
}

func newCycle(idle Idle, ws []Worker) *cycle {
	c := &cycle{workers: ws, stop: &new([16]uint32)[0]}
	for at, w := range ws {
		if k, ok := w.(Clocked); ok {
			c.clocked = append(c.clocked, k)
		}
		if g, ok := w.(Group); ok {
			c.sleepers = append(c.sleepers, sleeper{group: g, at: at})
		} else if s, ok := w.(Sleeper); ok {
			c.sleepers = append(c.sleepers, sleeper{one: s, at: at})
		}
	}
	c.idle = idle.settled(len(c.sleepers) == len(ws))
	c.words = make([]*uint32, 0, maxWords+1)
	c.values = make([]uint32, 0, maxWords+1)
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
	c.words, c.values, c.more = c.words[:0], c.values[:0], false
	for _, s := range c.sleepers {
		c.at = s.at
		if !c.armAll(s) {
			sys.Pause()
			return
		}
	}
	nap := c.idle.Nap
	if c.more {
		nap = min(nap, napBlind)
	}
	c.words, c.values = append(c.words, c.stop), append(c.values, 0)
	if err := sys.FutexWaitv(c.words, c.values, nap); err != nil {
		// The kernel refuses the words, as when a mapping was cut short: the next Do says why. Meanwhile do not spin.
		time.Sleep(min(nap, napBlind))
	}
}

func (c *cycle) armAll(s sleeper) bool {
	if s.group == nil {
		return c.arm(s.one)
	}
	for _, one := range s.group.Sleepers() {
		if !c.arm(one) {
			return false
		}
	}
	return true
}

// arm adds the word of s to those to sleep on. It reports false when s has work.
func (c *cycle) arm(s Sleeper) bool {
	word, value, ok := s.Arm()
	if !ok {
		return false
	}
	if len(c.words) == maxWords {
		c.more = true
		return true
	}
	c.words, c.values = append(c.words, word), append(c.values, value)
	return true
}

// current names the worker whose turn it is or was.
func (c *cycle) current() string {
	w := c.workers[c.at]
	if s, ok := w.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("worker %d (%T)", c.at, w)
}
