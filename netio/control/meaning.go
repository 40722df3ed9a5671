package control

import (
	"fmt"
	"slices"
	"sync"

	"github.com/alphapulse/transport/netio/link"
)

// meaning is what a node means by its channels: the same to all peers, but for those of which something else was said. A channel may go to
// one peer and come from another, so one contract does not fit both.
type meaning struct {
	mu  sync.Mutex
	all []link.Contract
	to  map[string][]link.Contract
}

// differs reports whether a peer's name must be known before it is greeted.
func (m *meaning) differs() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.to) > 0
}

// greeting is what a peer is told; "" is one whose name is not known.
func (o *Options) greeting(peer string) link.Greeting {
	o.meant.mu.Lock()
	defer o.meant.mu.Unlock()
	contracts, ok := o.meant.to[peer]
	if !ok {
		contracts = o.meant.all
	}
	return link.Greeting{Node: o.Node, Start: o.Start, Channels: contracts}
}

// update replaces the contracts of connections to come with a peer, "" with all, once they are checked.
func (o *Options) update(peer string, contracts []link.Contract) error {
	contracts = slices.Clone(contracts)
	if _, err := link.AppendGreeting(nil, link.Greeting{Node: o.Node, Start: o.Start, Channels: contracts}); err != nil {
		return fmt.Errorf("%w: node %q: %w", ErrOptions, o.Node, err)
	}
	o.meant.mu.Lock()
	defer o.meant.mu.Unlock()
	if peer == "" {
		o.meant.all = contracts
	} else {
		o.meant.to[peer] = contracts
	}
	return nil
}
