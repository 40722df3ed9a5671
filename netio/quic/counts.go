package quic

import "github.com/alphapulse/transport/netio"

var _ netio.Counted = (*way)(nil)

// Counts tells what each channel has done, and of the connection what it counts beside them.
func (w *way) Counts(tell func(netio.Count)) {
	c := w.Counters()
	for _, one := range []netio.Count{
		{What: netio.CountConnections, Value: w.tally.connections.Load()},
		{What: netio.CountDatagrams, Direction: netio.Out, Value: c.DatagramsOut},
		{What: netio.CountDatagrams, Direction: netio.In, Value: c.DatagramsIn},
		{What: netio.CountDropped, Direction: netio.Out, Reason: "datagram_unsent", Value: c.DatagramsUnsent},
		{What: netio.CountDropped, Direction: netio.In, Reason: "datagram_busy", Value: c.DatagramsBusy},
		{What: netio.CountDropped, Direction: netio.In, Reason: "datagram_odd", Value: c.DatagramsOdd},
		{What: netio.CountDropped, Direction: netio.In, Reason: "early_refused", Value: c.EarlyRefused},
	} {
		netio.Tell(tell, one)
	}
	for _, n := range w.lanes {
		s := n.stats()
		s.Counts(n.channel.Name, tell)
	}
}
