package netio

import (
	"context"
	"slices"
	"sync"

	"github.com/alphapulse/transport/numa"
)

// Crew is workers that come and go while one loop carries them, as a medium's do. Its methods may be called from any goroutine but the
// loop's. The zero Crew is not valid: use NewCrew.
type Crew struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex // a cycle, or what is done between two
	members []numa.Worker
	failed  func(numa.Worker, error)
}

// NewCrew has a loop of its own goroutine carry whoever is a member. failed is told, by the loop, of a member that failed: it is one no more, and
// the others go on. With no member the loop itself failed, and carries nobody any more.
func NewCrew(l numa.Loop, failed func(numa.Worker, error)) *Crew {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Crew{cancel: cancel, failed: failed}
	c.done.Go(func() {
		if err := l.Run(ctx, (*cycle)(c)); err != nil && ctx.Err() == nil {
			failed(nil, err)
		}
	})
	return c
}

// Set makes the members others. Once it returns, those that are none any more are not run.
func (c *Crew) Set(members []numa.Worker) {
	c.Between(func() { c.members = members })
}

// Between runs fn between two cycles: what belongs to the loop may be touched there.
func (c *Crew) Between(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

// Close ends the loop.
func (c *Crew) Close() {
	c.cancel()
	c.done.Wait()
}

// cycle is a crew as its loop sees it.
type cycle Crew

// Do runs each member once.
func (c *cycle) Do() (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []numa.Worker
	for _, w := range c.members {
		k, err := w.Do()
		if n += k; err != nil {
			out = append(out, w)
			c.failed(w, err)
		}
	}
	if out != nil {
		c.members = slices.DeleteFunc(slices.Clone(c.members), func(w numa.Worker) bool { return slices.Contains(out, w) })
	}
	return n, nil
}
