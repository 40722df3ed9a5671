package pack

import (
	"fmt"
	"strings"
)

// Observe tells an Adaptive codec how the link does: how many bytes wait for it, and how many a second it carried lately, as they
// travelled, 0 while nothing is known. It is called once per batch, before the batch is packed; other methods ignore it. A backlog is
// more than the link carries in a millisecond, eight batches in a row.
func (c *Codec) Observe(waiting, rate int64) {
	if c.method == Adaptive {
		c.policy.observe(waiting, rate)
	}
}

// Method is how bodies are packed now: Options.Method, or for Adaptive the one in force.
func (c *Codec) Method() Method {
	if c.method == Adaptive {
		return c.policy.now
	}
	return c.method
}

// Explain says in one line what is done now and why not otherwise, for an operator. It allocates.
func (c *Codec) Explain() string {
	if c.method != Adaptive {
		return c.method.String() + ": as configured"
	}
	return c.policy.explain()
}

func (p *policy) explain() string {
	if !p.late {
		return fmt.Sprintf("none: no backlog, %d B waiting", p.waiting)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", p.now)
	if p.now != None {
		fmt.Fprintf(&b, "ratio %.1f, %.1f ns/B, ", p.seen[p.now].ratio(), p.seen[p.now].cpu)
	}
	fmt.Fprintf(&b, "backlog %d KiB, link %.1f ns/B", p.waiting>>10, p.link)
	for m := LZ4; m <= Snappy; m++ {
		if m != p.now {
			fmt.Fprintf(&b, "; %s rejected: %s", m, p.against(m))
		}
	}
	return b.String()
}

// against is what speaks against m.
func (p *policy) against(m Method) string {
	s := &p.seen[m]
	switch {
	case !p.knows(m):
		return "not measured yet"
	case s.kept() == 1:
		return "saves nothing"
	case p.cost(m) >= p.cost(None):
		return fmt.Sprintf("%.1f ns/B costs more than it saves, ratio %.1f", s.cpu, s.ratio())
	case p.cost(m) >= p.cost(p.now):
		return fmt.Sprintf("ratio %.1f at %.1f ns/B comes to %.1f ns/B, not %.1f", s.ratio(), s.cpu, p.cost(m), p.cost(p.now))
	}
	return fmt.Sprintf("ratio %.1f at %.1f ns/B is not better by an eighth", s.ratio(), s.cpu)
}
