package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// explained is a decision, and what has become of it where its node runs.
type explained struct {
	route.Decision
	live    *live
	refused []transport.Refused
}

// MarshalJSON is the decision's, with more keys where a node runs.
func (e explained) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(e.Decision)
	for key, value := range map[string]any{"live": e.live, "refused": e.refused} {
		if err != nil || key == "live" && e.live == nil || key == "refused" && e.refused == nil {
			continue
		}
		var more []byte
		if more, err = json.Marshal(value); err == nil {
			b = fmt.Appendf(b[:len(b)-1], `,%q:%s}`, key, more)
		}
	}
	return b, err
}

// live is what a node that runs says of a channel on its way to another node, or on its way here.
type live struct {
	Node    string              `json:"node"`
	PID     int                 `json:"pid"`
	Version string              `json:"version"`
	Age     time.Duration       `json:"age_ns"`
	Carries *transport.Carriage `json:"carriage,omitempty"` // nil: it is the subscriber's
	Accord  *transport.Accord   `json:"accord,omitempty"`   // nil: no control link is about the channel
}

// refusedOf is what the subscriber's node could not take of a channel's queues.
func refusedOf(t *topo.Topology, d route.Decision, dir string) (all []transport.Refused) {
	if s := statusOf(t, d.To.Node, dir); s != nil {
		for _, r := range s.Refused {
			if r.Channel == d.Channel {
				all = append(all, r)
			}
		}
	}
	return all
}

// writeRefused says it in words.
func writeRefused(w io.Writer, all []transport.Refused) error {
	for _, r := range all {
		kept := "not kept"
		if r.Kept != "" {
			kept = "kept: pulse journal ls " + r.Kept
		}
		for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
			if _, err := fmt.Fprintf(w, "  refused     %d deliveries of %s, %s; %s\n", r.Reasons[why], r.Queue, why, kept); err != nil {
				return err
			}
		}
	}
	return nil
}

const staleAfter = 10 * statusEvery

// liveOf asks the publisher's node, or else the subscriber's. It is nil where neither runs on this machine, or both are one.
func liveOf(t *topo.Topology, d route.Decision, dir string) *live {
	if d.From.Node == d.To.Node {
		return nil
	}
	for _, one := range [][2]string{{d.From.Node, d.To.Node}, {d.To.Node, d.From.Node}} {
		node, far := one[0], one[1]
		s := statusOf(t, node, dir)
		if s == nil {
			continue
		}
		l := &live{Node: s.Node, PID: s.PID, Version: s.Version, Age: time.Since(s.At)}
		for i, c := range s.Carriages {
			if node == d.From.Node && c.Channel == d.Channel && (c.Node == far || c.Node == "" && l.Carries == nil && d.Primary.Medium == route.Queue) {
				l.Carries = &s.Carriages[i]
			}
		}
		for i, a := range s.Accords {
			if a.Channel == d.Channel && a.Node == far {
				l.Accord = &s.Accords[i]
			}
		}
		if l.Carries != nil || l.Accord != nil {
			return l
		}
	}
	return nil
}

// statusOf is nil where the node does not run on this machine.
func statusOf(t *topo.Topology, node, dir string) *nodeStatus {
	if dir == "" {
		dir = transport.DirOf(t.Name, node)
	}
	b, err := os.ReadFile(filepath.Join(dir, statusFile))
	if err != nil {
		return nil
	}
	var s nodeStatus
	if json.Unmarshal(b, &s) != nil || s.Node != node || time.Since(s.At) > staleAfter {
		return nil
	}
	return &s
}

// write says it in words.
func (l *live) write(w io.Writer) error {
	if l == nil {
		return nil
	}
	var err error
	if l.Carries != nil {
		err = l.writeCarriage(w)
	}
	if l.Accord != nil && err == nil {
		err = l.writeAccord(w)
	}
	return err
}

func (l *live) writeCarriage(w io.Writer) error {
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

// writeAccord says whether the nodes mean the same, and how their clocks stand.
func (l *live) writeAccord(w io.Writer) error {
	a, says := l.Accord, "not yet: the other node has not been heard"
	switch {
	case a.Differs != "":
		says = "no: " + a.Differs
	case a.Agreed && a.Connected:
		says = "on what it means and on its secrets"
	case a.Agreed:
		says = "on its secrets, which stay; the control link is down"
	case a.Connected:
		says = "no: the other node has no such channel with this one"
	}
	if a.Trouble != "" {
		says += "; " + a.Trouble
	}
	if a.Error > 0 {
		says += fmt.Sprintf("; its clock is %v ahead, give or take %v", a.Ahead, a.Error)
	}
	_, err := fmt.Fprintf(w, "  agreed      with %s: %s (node %s, process %d, topology %s)\n", a.Node, says, l.Node, l.PID, l.Version)
	return err
}
