package udp

import "github.com/alphapulse/transport/netio"

var _ netio.Counted = (*way)(nil)

// Counts tells what each channel has done. A channel that several nodes send here has one receiver, of which the first of their ways tells.
func (w *way) Counts(tell func(netio.Count)) {
	for channel, o := range w.outlets {
		s := o.Stats()
		s.counts(channel, netio.Out, tell)
		tell(netio.Count{Channel: channel, What: netio.CountAgain, Direction: netio.Out, Value: s.Again})
	}
	for _, in := range w.told() {
		s := in.Receiver.Stats()
		s.counts(in.exchange.Channel, netio.In, tell)
	}
}

// told is the inlets of which the way tells.
func (w *way) told() (all []*inlet) {
	w.ways.mu.Lock()
	defer w.ways.mu.Unlock()
	for _, in := range w.takes {
		if first := in.fars[0]; first.Node == w.far.Node && first.Stripe == w.far.Stripe {
			all = append(all, in)
		}
	}
	return all
}

func (s *Stats) counts(channel, direction string, tell func(netio.Count)) {
	for _, c := range []netio.Count{
		{What: netio.CountFrames, Value: s.Frames},
		{What: netio.CountBytes, Value: s.Bytes},
		{What: netio.CountDatagrams, Value: s.Datagrams},
		{What: netio.CountLost, Value: s.Lost},
	} {
		c.Channel, c.Direction = channel, direction
		tell(c)
	}
	for r, n := range s.Dropped {
		netio.Tell(tell, netio.Count{Channel: channel, What: netio.CountDropped, Direction: direction, Reason: Reason(r).String(), Value: n})
	}
}
