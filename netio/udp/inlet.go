package udp

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// inlet is where a channel arrives at a node, from whomever.
type inlet struct {
	*Receiver
	ways     *ways
	exchange netio.Exchange
	fars     []netio.Far            // one for each way that has the channel
	received []*netio.Spread        // of each of them; the loop's
	up       []bool                 // of them, who was heard; the loop's
	secrets  map[string]seal.Secret // of channels that are Agreed, by node; under the ways' lock
	failed   atomic.Bool
}

// listen opens the inlet of a channel, or finds it.
func (w *ways) listen(far netio.Far, e netio.Exchange) error {
	if in := w.inlets[e.Channel]; in != nil {
		in.fars, in.up, in.received = append(in.fars, far), append(in.up, false), append(in.received, e.Received)
		in.time()
		return nil
	}
	at, err := w.portOf(w.station.Bind, e)
	if err != nil {
		return err
	}
	in := &inlet{ways: w, exchange: e, fars: []netio.Far{far}, up: []bool{false}, received: []*netio.Spread{e.Received}, secrets: map[string]seal.Secret{}}
	line := Listen{Bind: at}
	if w.past != nil {
		if line.Medium, err = w.past.Listen(far, at); err != nil {
			return err
		}
	}
	secret := e.Secret
	if e.Agreed {
		secret = nobodys()
	}
	in.Receiver, err = NewReceiver(ReceiverOptions{Channel: e.Channel, Lines: []Listen{line}, Inbox: netio.InboxOptions{Shared: e.Mirrors, Capacity: e.Capacity},
		Reliability: reliabilityOf(e), Secret: secret, Codec: codecOf(e), Stash: stashOf(e), MTU: w.medium.MTU, Liveness: far.Liveness,
		Socket: w.medium.Socket, Traced: w.station.Traced, Events: in.event})
	if err != nil {
		return closed(err, line.Medium)
	}
	w.inlets[e.Channel] = in
	return nil
}

// leave is one way less. It reports whether that was the last.
func (in *inlet) leave(far netio.Far) bool {
	for i, one := range in.fars {
		if one.Node == far.Node && one.Stripe == far.Stripe {
			in.fars, in.up = slices.Delete(in.fars, i, i+1), slices.Delete(in.up, i, i+1)
			in.received = slices.Delete(in.received, i, i+1)
			in.time()
			in.disbelieve(far.Node)
			break
		}
	}
	return len(in.fars) == 0
}

// fits reports whether another node may send the channel to the same receiver.
func (in *inlet) fits(e netio.Exchange) bool {
	a := in.exchange
	secret := a.Secret == e.Secret || a.Secret != nil && e.Secret != nil && a.Secret.Equal(*e.Secret)
	return secret && a.Agreed == e.Agreed && a.Number == e.Number && a.BestEffort == e.BestEffort && a.Mirrors == e.Mirrors
}

// event hands on what became of the streams of a node.
func (in *inlet) event(e Event) {
	n := netio.Note{Channel: in.exchange.Channel, What: e.Kind.String(), Err: e.Err, First: e.First, Last: e.Last}
	i := in.farOf(e.Peer)
	if e.Kind == Connected {
		in.timeOne(in.streams[e.Source])
	}
	if i >= 0 {
		n.Node, n.Stripe = in.fars[i].Node, in.fars[i].Stripe
		if e.Kind == Connected || e.Kind == Disconnected { // once for all its sources
			up := e.Kind == Connected || in.hears(in.fars[i])
			if up == in.up[i] {
				return
			}
			in.up[i] = up
		}
	}
	in.ways.tell(n)
}

// farOf is whose address a peer has; negative: nobody's. Of several ways to one node it is the first.
func (in *inlet) farOf(peer netip.AddrPort) int {
	return slices.IndexFunc(in.fars, func(f netio.Far) bool {
		return slices.ContainsFunc(f.Addresses, func(a netip.AddrPort) bool { return a.Addr() == peer.Addr() })
	})
}

// time has each stream record its ages where its way says.
func (in *inlet) time() {
	for _, s := range in.all {
		in.timeOne(s)
	}
}

func (in *inlet) timeOne(s *stream) {
	if s.received = nil; !s.connected {
		return // it is asked again
	}
	if i := in.farOf(s.peer.AddrPort()); i >= 0 {
		s.received = in.received[i]
	}
}

// hears reports whether any source of a node is heard.
func (in *inlet) hears(far netio.Far) bool {
	return slices.ContainsFunc(in.all, func(s *stream) bool {
		return s.connected && slices.ContainsFunc(far.Addresses, func(a netip.AddrPort) bool { return a.Addr() == s.peer.AddrPort().Addr() })
	})
}

func reliabilityOf(e netio.Exchange) Reliability {
	if e.BestEffort {
		return BestEffort
	}
	return Repaired
}

func codecOf(e netio.Exchange) seal.Codec {
	if e.Codec == nil {
		return nil
	}
	return e.Codec()
}

// stashOf is the room for what comes early: twice the largest message at least.
func stashOf(e netio.Exchange) int { return min(max(DefaultStash, 2*(e.Largest+1024)), 1<<30) }
