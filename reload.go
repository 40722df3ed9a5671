package transport

import (
	"context"
	"errors"
	"fmt"
)

// Reload reads the topology file again and makes the node what it says now. A file with a fault is refused whole: the error has every fault
// with its place, and nothing changes. Channels that the file says nothing new about go on as they are. What publishers and subscribers
// that are open have got from the old file, the size of a ring for instance, they keep.
func (n *Node) Reload(ctx context.Context) error {
	old := n.layout.Load()
	if old == nil {
		return fmt.Errorf("%w: there is no File to read again", ErrConfig)
	}
	c := n.config
	c.At = old.at
	l, err := readLayout(&c)
	if err != nil {
		return err
	}
	if n.fabric == nil {
		n.layout.Store(l)
		return nil
	}
	var laid error
	if err := n.fabric.call(ctx, func() {
		if laid = n.fabric.lay(l); laid != nil { // a medium that is missing, an address that is taken: what was there is laid again
			laid = errors.Join(laid, n.fabric.lay(old))
			return
		}
		n.layout.Store(l)
	}); err != nil {
		return fmt.Errorf("transport: reload: %w", err)
	}
	return laid
}

// Version names what is in force of the topology file: 12 hex digits that two nodes compare. Empty: there is none.
func (n *Node) Version() string {
	if l := n.layout.Load(); l != nil {
		return l.version
	}
	return ""
}
