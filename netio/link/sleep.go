package link

import "github.com/alphapulse/transport/numa"

// Sleepers returns what to arm before whoever runs the peer sleeps: the rings of which something could be sent now. What else brings work is
// what arrives, and time. The slice is valid until the next call of the peer.
func (p *Peer) Sleepers() []numa.Sleeper {
	p.sleepers = p.sleepers[:0]
	for _, f := range p.feeds {
		if f.open && !f.ended && len(f.run) == 0 {
			p.sleepers = append(p.sleepers, f.reader)
		}
	}
	return p.sleepers
}
