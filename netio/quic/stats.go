package quic

import (
	"sync/atomic"

	"github.com/alphapulse/transport/netio/link"
)

// Counters is what a link counts beside its channels, since it was made.
type Counters struct {
	DatagramsOut    uint64
	DatagramsIn     uint64
	DatagramsUnsent uint64 // larger than the path's packets turned out to be
	DatagramsBusy   uint64 // dropped, since another link was at the mirror
	DatagramsOdd    uint64 // dropped, since they were no frames of a best-effort channel that flows
	Early           uint64 // connections on which something was said before the handshake was over
	EarlyRefused    uint64 // streams that came before the handshake was over, of channels that allow no repeats
	Migrations      uint64 // times that the own address was changed by Migrate
}

type tally struct {
	connections, datagramsOut, datagramsIn, datagramsUnsent, datagramsBusy, datagramsOdd, early, earlyRefused, migrations atomic.Uint64
}

func add(to *link.Stats, s *link.Stats) {
	to.BytesOut += s.BytesOut
	to.BytesIn += s.BytesIn
	to.FramesOut += s.FramesOut
	to.FramesIn += s.FramesIn
	to.Rewinds += s.Rewinds
	to.LostOut += s.LostOut
	to.LostIn += s.LostIn
	for i, n := range s.Dropped {
		to.Dropped[i] += n
	}
}

// Stats adds up what all channels have done, and counts connections.
func (l *Link) Stats() (s link.Stats) {
	for _, n := range l.lanes {
		one := n.stats()
		add(&s, &one)
	}
	s.Connections = l.tally.connections.Load()
	return s
}

// Counters returns what the link has counted beside.
func (l *Link) Counters() Counters {
	t := &l.tally
	return Counters{
		DatagramsOut: t.datagramsOut.Load(), DatagramsIn: t.datagramsIn.Load(), DatagramsUnsent: t.datagramsUnsent.Load(),
		DatagramsBusy: t.datagramsBusy.Load(), DatagramsOdd: t.datagramsOdd.Load(),
		Early: t.early.Load(), EarlyRefused: t.earlyRefused.Load(), Migrations: t.migrations.Load(),
	}
}

// ChannelStats is what one channel has done, of which Connections counts streams; ok is false when the link does not have it.
func (l *Link) ChannelStats(name string) (s link.Stats, ok bool) {
	n := l.lane(name)
	if n == nil {
		return s, false
	}
	return n.stats(), true
}

func (n *lane) stats() link.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer.Stats()
}
