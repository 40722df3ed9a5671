package link

import "github.com/alphapulse/transport/netio"

// ChannelsOf is what two nodes of a topology exchange, as a peer carries it.
func ChannelsOf(all []netio.Exchange) (channels []Channel) {
	for _, e := range all {
		c := Channel{Contract: Contract{Name: e.Channel, Sends: e.Sends, Takes: e.Takes, Largest: e.Largest, Domain: e.Domain, Codecs: e.Codecs},
			Inbox: netio.InboxOptions{Shared: e.Mirrors, Capacity: e.Capacity}, Carried: e.Carried, Received: e.Received}
		if e.BestEffort {
			c.Reliability = BestEffort
		}
		if e.Codec != nil {
			c.Codec = e.Codec()
		}
		channels = append(channels, c)
	}
	return channels
}
