package netio_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// memory is a medium that joins a node to nobody: what is the same in every medium is left.
type memory struct{ station netio.Station }

func (m memory) To(far netio.Far) (netio.Way, error) {
	m.station.Notes(netio.Note{Medium: "memory", Node: far.Node, What: "connected"})
	return &road{carries: map[string][]*ring.Ring{}}, nil
}

func (memory) Close() error { return nil }

type road struct{ carries map[string][]*ring.Ring }

func (r *road) Add(channel string, one *ring.Ring) error {
	r.carries[channel] = append(r.carries[channel], one)
	return nil
}

func (r *road) Remove(channel string, _ *ring.Ring) (done bool, err error) {
	delete(r.carries, channel)
	return true, nil
}

// Key makes it a way whose secrets come while it stands. This one seals nothing.
func (*road) Key(_ string, out, in *seal.Secret) error { return nil }

func (*road) Alive(string) bool { return true }
func (*road) Lag(string) uint64 { return 0 }
func (*road) Close() error      { return nil }

// A medium is opened for a node, and then has a way to each of the others.
func ExampleWays() {
	var nobody netio.Identity // nothing is encrypted
	var ways netio.Ways = memory{netio.Station{Node: "left", Identity: nobody, Notes: func(n netio.Note) { fmt.Println(n.Medium, n.What, n.Node) }}}
	far := netio.Far{Node: "right", Addresses: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:7401")}, Dials: true,
		Exchanges: []netio.Exchange{{Channel: "orders", Sends: true}}}
	var way netio.Way
	way, err := ways.To(far)
	if err != nil {
		panic(err)
	}
	fmt.Println(way.Add("orders", nil), way.Alive("orders"), way.Close(), ways.Close())
	// Output:
	// memory connected right
	// <nil> true <nil> <nil>
}

// Nodes agree on the secret of a channel that is Agreed, and its way is given it then; when they do not agree any more it is taken away.
func ExampleKeyed() {
	way, err := memory{netio.Station{Notes: func(netio.Note) {}}}.To(netio.Far{Exchanges: []netio.Exchange{{Channel: "orders", Sends: true, Sealed: true, Agreed: true}}})
	if err != nil {
		panic(err)
	}
	out := seal.NewSecret() // in truth a control link's
	if keyed, ok := way.(netio.Keyed); ok {
		fmt.Println(keyed.Key("orders", &out, nil), keyed.Key("orders", nil, nil))
	}
	// Output: <nil> <nil>
}
