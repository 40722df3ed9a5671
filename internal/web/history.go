package web

import "github.com/alphapulse/transport/internal/view"

const (
	kept     = 600 // seconds
	mostHops = 64
)

// history is the latencies of the last ten minutes.
type history struct {
	hops []*past
}

// past is one hop's. A point is [Unix seconds, p50, p99, p99.9, max], in ns; seconds in which nothing came have none.
type past struct {
	Channel string     `json:"-"`
	Hop     string     `json:"hop"`
	Node    string     `json:"node"`
	Medium  string     `json:"medium"`
	Points  [][5]int64 `json:"points"`
}

// add keeps what came since the state before, and lets go of what is old.
func (h *history) add(s *view.State) {
	for _, c := range s.Channels {
		for _, one := range c.Hops {
			if one.Fresh {
				if p := h.at(c.Name, one); p != nil {
					p.Points = append(p.Points, [5]int64{s.At.Unix(), int64(one.P50), int64(one.P99), int64(one.P999), int64(one.Max)})
				}
			}
		}
	}
	left := h.hops[:0]
	for _, p := range h.hops {
		for len(p.Points) > 0 && p.Points[0][0] <= s.At.Unix()-kept {
			p.Points = p.Points[1:]
		}
		if len(p.Points) > 0 {
			left = append(left, p)
		}
	}
	clear(h.hops[len(left):])
	h.hops = left
}

// at is a hop's past; nil where there are too many already.
func (h *history) at(channel string, one view.Hop) *past {
	for _, p := range h.hops {
		if p.Channel == channel && p.Hop == one.Hop && p.Node == one.Node && p.Medium == one.Medium {
			return p
		}
	}
	if len(h.hops) == mostHops {
		return nil
	}
	p := &past{Channel: channel, Hop: one.Hop, Node: one.Node, Medium: one.Medium}
	h.hops = append(h.hops, p)
	return p
}

func (h *history) of(channel string) []*past {
	all := []*past{}
	for _, p := range h.hops {
		if p.Channel == channel {
			all = append(all, p)
		}
	}
	return all
}
