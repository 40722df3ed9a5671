package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// explained is a decision, and what has become of it where its node runs.
type explained struct {
	route.Decision
	live *live
}

// MarshalJSON is the decision's, with one more key where there is something live.
func (e explained) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(e.Decision)
	if err != nil || e.live == nil {
		return b, err
	}
	more, err := json.Marshal(e.live)
	return fmt.Appendf(b[:len(b)-1], `,"live":%s}`, more), err
}

// live is what a node that runs says of a channel on its way to another node.
type live struct {
	Node    string             `json:"node"`
	PID     int                `json:"pid"`
	Version string             `json:"version"`
	Age     time.Duration      `json:"age_ns"`
	Carries transport.Carriage `json:"carriage"`
}

const staleAfter = 10 * statusEvery

// liveOf is nil where the node does not run on this machine, or is the subscriber's, too.
func liveOf(t *topo.Topology, d route.Decision, dir string) *live {
	if d.From.Node == d.To.Node {
		return nil
	}
	if dir == "" {
		dir = transport.DirOf(t.Name, d.From.Node)
	}
	b, err := os.ReadFile(filepath.Join(dir, statusFile))
	if err != nil {
		return nil
	}
	var s nodeStatus
	if json.Unmarshal(b, &s) != nil || s.Node != d.From.Node || time.Since(s.At) > staleAfter {
		return nil
	}
	var found *live
	for _, c := range s.Carriages {
		if c.Channel == d.Channel && (c.Node == d.To.Node || c.Node == "" && found == nil && d.Primary.Medium == route.Queue) {
			found = &live{s.Node, s.PID, s.Version, time.Since(s.At), c}
		}
	}
	return found
}

// write says it in words.
func (l *live) write(w io.Writer) error {
	if l == nil {
		return nil
	}
	c := l.Carries
	by := "nothing: it changes ways"
	if c.Medium != "" {
		by = c.Medium
	}
	if c.Stranded {
		by += ", and no way is alive: what is published waits in its rings"
	}
	_, err := fmt.Fprintf(w, "  now         by %s; %d rings, %d bytes not confirmed, %d failovers, %d failbacks (node %s, process %d, topology %s)\n",
		by, c.Rings, c.Lag, c.Failovers, c.Failbacks, l.Node, l.PID, l.Version)
	for _, way := range c.Ways {
		if err == nil {
			_, err = fmt.Fprintf(w, "              %s: alive %t, breaker %s, opened %d times, rings by stripe %v %s\n", way.Medium, way.Alive, way.Breaker, way.Opened, way.Shares, way.Err)
		}
	}
	if sh := c.Shadow; sh != nil && err == nil {
		_, err = fmt.Fprintf(w, "              beside it %s: alive %t, %d frames copied, %d skipped, %d bytes not confirmed %s\n", sh.Medium, sh.Alive, sh.Copied, sh.Skipped, sh.Lag, sh.Err)
	}
	return err
}
