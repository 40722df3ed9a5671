package route

import (
	"errors"
	"fmt"
	"sync"

	"github.com/alphapulse/transport/route/topo"
)

// ErrRefused is the answer to a topology that must not run. The plan in force stays, whole.
var ErrRefused = errors.New("route: the topology is refused, the plan in force stays")

// ReloadStats is what a Current has been offered.
type ReloadStats struct {
	Version string // of the plan in force; empty: none yet
	Taken   uint64 // offers that became the plan in force, the first one too
	Same    uint64 // offers that changed nothing
	Refused uint64
	Err     error // why the latest refused one was; nil once another is taken
}

// Current is the plan in force. A new topology is taken whole or refused whole: between the two there is nothing. The zero Current
// has no plan. It is safe for several goroutines.
type Current struct {
	mu    sync.Mutex
	plan  *Plan
	stats ReloadStats
}

// Offer resolves a topology, with what loading it has found, and puts its plan in force unless there is an error. The changes say
// what the caller does to links and rings that run; without a plan before, every channel is added.
func (c *Current) Offer(t *topo.Topology, found topo.Findings) (Changes, error) {
	var next *Plan
	if found.Err() == nil {
		var more topo.Findings
		next, more = Resolve(t)
		found = append(found[:len(found):len(found)], more...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := found.Err(); err != nil {
		c.stats.Refused++
		c.stats.Err = fmt.Errorf("%w: %w", ErrRefused, err)
		return nil, c.stats.Err
	}
	before := c.plan
	if before == nil {
		before = &Plan{}
	}
	changes := Diff(before, next)
	if c.plan != nil && changes.Same() {
		c.stats.Same++
	} else {
		c.stats.Taken++
	}
	c.plan, c.stats.Version, c.stats.Err = next, next.Version(), nil
	return changes, nil
}

// Plan is the plan in force, nil before the first.
func (c *Current) Plan() *Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plan
}

// Stats is what has been offered so far.
func (c *Current) Stats() ReloadStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
