package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/route"
)

// Provisioner is a QueueMedium whose queues have to be made before anything is put into them. Those that are not make theirs as they are opened.
type Provisioner interface {
	QueueMedium

	// Provision makes what a line needs and is not there, and returns what it did, a line for each step. With dry it changes nothing and says
	// what it would do.
	Provision(ctx context.Context, site netio.QueueSite, line netio.QueueLine, dry bool) (steps []string, err error)
}

// Provision makes the queues of all nodes of c.File by the Provisioners among c.Queues, and returns what it did, a line for each step. With dry it
// changes nothing. All faults are reported together. Nodes do the same for their own queues when they open.
func Provision(ctx context.Context, c Config, dry bool) (steps []string, err error) {
	l, err := readPlan(c.File)
	if err != nil {
		return nil, err
	}
	type end struct {
		backend string
		line    netio.QueueLine
	}
	var faults []error
	done := map[end]bool{}
	for _, n := range l.topology.Nodes {
		l.at = n.Name
		l.queueWays(func(p *route.ChannelPlan, d *route.Decision, w *route.Way) {
			if d.From.Node != l.at {
				return
			}
			lines := []*netio.QueueLine{}
			if record, ok := l.recordOf(p); ok && record.Backend == w.Backend {
				lines = append(lines, l.line(p, record, l.at, ""))
			}
			if !queueOnly(d) {
				lines = append(lines, l.line(p, w, l.at, d.To.Node))
			}
			for _, line := range lines {
				line.Place, line.Secret = "", nil
				key := end{w.Backend.String(), *line}
				if done[key] {
					continue
				}
				done[key] = true
				for _, m := range c.Queues {
					if p, ok := m.(Provisioner); ok && m.Backend() == key.backend {
						made, err := p.Provision(ctx, l.site(w.Backend, nil), *line, dry)
						steps = append(steps, made...)
						if err != nil {
							faults = append(faults, fmt.Errorf("channel %q: %w", line.Channel, err))
						}
					}
				}
			}
		})
	}
	return steps, errors.Join(faults...)
}
