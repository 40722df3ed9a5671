package transport

import (
	"context"
	"slices"
	"time"

	"github.com/alphapulse/transport/route"
)

// Carriage is how a channel goes to another node just now.
type Carriage struct {
	Channel string        `json:"channel"`
	Node    string        `json:"node"`   // empty: into the queue, for all who take from it
	Medium  string        `json:"medium"` // that carries it; empty while it changes ways
	Rings   int           `json:"rings"`  // of publishers here
	Lag     uint64        `json:"lag"`    // bytes that the node has not confirmed
	Ways    []CarriageWay `json:"ways"`   // the preferred one first

	Shadow *Shadow `json:"shadow,omitempty"` // nil: there is none

	Failovers uint64         `json:"failovers"`
	Failbacks uint64         `json:"failbacks"`
	Stranded  bool           `json:"stranded"` // no way is alive: what is published waits
	Switches  []route.Switch `json:"switches,omitempty"`
}

// CarriageWay is one of the ways that a channel may take.
type CarriageWay struct {
	Medium  string `json:"medium"`
	Stripes int    `json:"stripes"`
	Shares  []int  `json:"shares"` // rings on each stripe
	Alive   bool   `json:"alive"`
	Breaker string `json:"breaker"`
	Opened  uint64 `json:"opened"` // how often the breaker has opened
	Err     string `json:"error,omitempty"`
}

// Carriages says how each channel goes to each node that subscribes to it. It is empty in a process that joins no nodes.
func (n *Node) Carriages(ctx context.Context) (all []Carriage, err error) {
	if n.fabric == nil {
		return nil, nil
	}
	err = n.fabric.call(ctx, func() {
		now := n.fabric.now()
		for _, l := range n.fabric.order {
			one := l.carriage(now)
			one.Shadow = n.fabric.shadow(l)
			all = append(all, one)
		}
	})
	return all, err
}

func (l *leg) carriage(now time.Duration) Carriage {
	s := l.failover.Stats()
	c := Carriage{Channel: l.channel, Node: l.node, Rings: len(l.rings), Failovers: s.Failovers, Failbacks: s.Failbacks, Stranded: s.Stranded,
		Switches: l.failover.History()}
	for i, w := range l.ways {
		b := w.breaker.Stats(now)
		one := CarriageWay{Medium: w.protocol, Stripes: len(w.stripes), Shares: make([]int, len(w.stripes)), Breaker: b.State.String(), Opened: b.Opened}
		for _, way := range w.stripes {
			one.Alive = one.Alive || way.Alive(l.channel)
		}
		for _, at := range w.has {
			one.Shares[at]++
		}
		if w.err != nil {
			one.Err = w.err.Error()
		}
		if i == s.Active {
			c.Medium, c.Lag = w.protocol, w.Lag()
		}
		c.Ways = append(c.Ways, one)
	}
	c.Stranded = c.Stranded && !slices.ContainsFunc(c.Ways, func(w CarriageWay) bool { return w.Alive }) // its only way carries though the breaker doubts it
	return c
}
