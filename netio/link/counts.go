package link

import "github.com/alphapulse/transport/netio"

// out reports whether it is the sending end that drops for a reason.
func (r Reason) out() bool { return r == Unsent || r == TooLarge }

// Counts tells what the stats say as counts of a channel, or of all that a peer carries.
func (s *Stats) Counts(channel string, tell func(netio.Count)) {
	for _, c := range []netio.Count{
		{What: netio.CountFrames, Direction: netio.Out, Value: s.FramesOut},
		{What: netio.CountFrames, Direction: netio.In, Value: s.FramesIn},
		{What: netio.CountBytes, Direction: netio.Out, Value: s.BytesOut},
		{What: netio.CountBytes, Direction: netio.In, Value: s.BytesIn},
		{What: netio.CountLost, Direction: netio.Out, Value: s.LostOut},
		{What: netio.CountLost, Direction: netio.In, Value: s.LostIn},
	} {
		c.Channel = channel
		netio.Tell(tell, c)
	}
	for r, n := range s.Dropped {
		c := netio.Count{Channel: channel, What: netio.CountDropped, Direction: netio.In, Reason: Reason(r).String(), Value: n}
		if Reason(r).out() {
			c.Direction = netio.Out
		}
		netio.Tell(tell, c)
	}
}
