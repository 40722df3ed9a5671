package transport

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// Carrier takes the records of rings off the machine. A udp.Sender is one.
type Carrier interface {
	// Add has the carrier carry a ring, too. ring.ErrClosed says that the carrier is closed.
	Add(*ring.Ring) error
}

// carried is a carrier with the rings it was given, by instance: a publisher that takes over a ring brings nothing new.
type carried struct {
	carrier Carrier
	has     map[uint64]bool
}

func (c *carried) add(r *ring.Ring) error {
	id := r.Info().Instance
	if c.has[id] {
		return nil
	}
	if err := c.carrier.Add(r); err != nil {
		return err
	}
	c.has[id] = true
	return nil
}

// Carry has c carry what this node's publishers say in a channel: the ring of each, those open already and those opened
// later, once. What others write, processes of the same Dir or a receiver into a mirror, is not given to c, so that nothing
// runs in a circle. It is called once for each c. After an error c may have some of the rings, and is to be closed.
//
// c stays the caller's, who runs it and closes it before the node. Its Add is called under the node's lock and must not call
// the node. While c lives, Drain waits for it like for any reader.
func (n *Node) Carry(channel string, c Carrier) error {
	if err := nameFault("channel", channel); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return fmt.Errorf("transport: node: %w", net.ErrClosed)
	}
	one := &carried{c, map[uint64]bool{}}
	for _, p := range n.pubs {
		if p.channel != channel || p.closed.Load() {
			continue
		}
		if err := one.add(p.ring); err != nil && !p.closed.Load() {
			return fmt.Errorf("transport: channel %q: carry: %w", channel, err)
		}
	}
	n.carriers[channel] = append(n.carriers[channel], one)
	return nil
}

// carry gives a new publisher's ring to the channel's carriers, and forgets those that are closed.
func (n *Node) carry(channel string, r *ring.Ring) error {
	var faults []error
	n.carriers[channel] = slices.DeleteFunc(n.carriers[channel], func(c *carried) bool {
		err := c.add(r)
		if errors.Is(err, ring.ErrClosed) {
			return true
		}
		faults = append(faults, err)
		return false
	})
	return errors.Join(faults...)
}

// Inbox returns what a receiver of the channel needs so that this node's subscribers find its mirrors: with a Dir, its
// directory, where other processes find them too; without, anonymous rings. Capacity is that of Config.Channels; the caller
// may raise Sources. One receiver at a time takes a source.
//
// Opened runs on the receiver's thread when a source is first heard and takes the node's lock: a mirror has this node's
// subscribers before its first frame is in it. The receiver may outlive the node; nobody is told of its mirrors then.
func (n *Node) Inbox(channel string) (netio.InboxOptions, error) {
	if err := nameFault("channel", channel); err != nil {
		return netio.InboxOptions{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return netio.InboxOptions{}, fmt.Errorf("transport: node: %w", net.ErrClosed)
	}
	o := netio.InboxOptions{Capacity: n.config.Channels[channel].Capacity, Opened: func(r *ring.Ring) { n.mirrored(channel, r) }}
	if n.config.Dir != "" {
		o.Dir = filepath.Join(n.config.Dir, channel)
	}
	return o, nil
}

// mirrored hands a mirror that has just been opened to the channel's subscribers.
func (n *Node) mirrored(channel string, r *ring.Ring) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	if n.config.Dir == "" {
		n.mirrors[channel] = append(n.mirrors[channel], r)
	}
	for _, s := range n.subs {
		if s.channel == channel { // who looked at the file while it was being made was refused, and would wait
			s.forgive(r.Info().Path)
		}
	}
	n.tell(channel)
}

// over reports whether a ring within the process was closed by who made it: nothing will be added to it.
func over(r *ring.Ring) bool {
	_, err := r.WriterAlive()
	return errors.Is(err, ring.ErrClosed)
}

// isMirror tells a mirror's file from a publisher's. netio calls a mirror by its source, in 16 hex digits; what ringOf calls a
// publisher's ring has a dot before the number, so no Source makes the one the other.
func isMirror(path string) bool {
	name := filepath.Base(path)
	return len(name) == 16+len(ringSuffix) && name[16:] == ringSuffix && !slices.ContainsFunc([]byte(name[:16]), func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}
