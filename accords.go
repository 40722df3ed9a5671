package transport

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Accord is how a channel that goes as datagrams stands with another node, as the control link of the two says.
type Accord struct {
	Channel   string `json:"channel"`
	Node      string `json:"node"`              // the other one
	Connected bool   `json:"connected"`         // the control link stands
	Agreed    bool   `json:"agreed"`            // both mean the same by the channel, and have secrets for it
	Differs   string `json:"differs,omitempty"` // what they mean different things by: each field with both values
	Trouble   string `json:"trouble,omitempty"` // why the control link does not stand, where this node dials, or does no good

	Ahead time.Duration `json:"ahead_ns"` // the other node's clock less this one's; 0 while nothing is known
	Error time.Duration `json:"error_ns"` // Ahead is wrong by no more than that
	RTT   time.Duration `json:"rtt_ns"`   // of the exchange that says so
}

// Accords says how channels stand with the nodes that a control link joins this one with, in both directions. It is empty where there is none.
func (n *Node) Accords(ctx context.Context) (all []Accord, err error) {
	if n.fabric == nil {
		return nil, nil
	}
	err = n.fabric.call(ctx, func() { all = n.fabric.accord.all() })
	return all, err
}

func (a *accord) all() (all []Accord) {
	for _, node := range slices.Sorted(maps.Keys(a.peers)) {
		p := a.peers[node]
		for _, c := range p.contracts {
			all = append(all, a.of(c.Name, node, p))
		}
	}
	return all
}

func (a *accord) of(channel, node string, p *peering) Accord {
	s := Accord{Channel: channel, Node: node}
	p.mu.Lock()
	s.Differs, s.Trouble = p.differs[channel], p.trouble
	p.mu.Unlock()
	if p.crossed.Load() {
		s.Trouble = errBothDial.Error()
	}
	if one := a.linkOf(node, p); one != nil {
		s.Connected, s.Agreed = one.Connected(), slices.Contains(one.Channels(), channel)
		o, _ := one.Offset()
		s.Ahead, s.Error, s.RTT = o.Ahead, o.Error, o.RTT
	}
	return s
}
