package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

// Through a queue a channel goes in one of two roles, or both.
//
//	record   a queue of the channel's name: everything that is published here is put into it, from a place of its own. Where no way leads to
//	         a node but the queue, that node takes from it.
//	relief   a queue for one node, a way of its leg: it is put into while it has the leg's place, and the node takes from it all the time.
//
// What the relief has accepted the ring has released, and no other way may go on behind it before the node has all of it: see leg.drained.
// So the queue's end is the marker, and nothing overtakes it.

// recordPlace is the name of the place in a ring from which it is recorded. No subscriber's has a blank.
const recordPlace = "into queue"

func queueOnly(d *route.Decision) bool { return d.Primary.Medium == route.Queue && d.Secondary == nil }

// recordOf is the queue that a channel is recorded in here.
func (l *layout) recordOf(c *route.ChannelPlan) (w *route.Way, ok bool) {
	for i := range c.Decisions {
		d := &c.Decisions[i]
		if d.From.Node != l.at || d.To.Node == "" {
			continue
		}
		switch {
		case queueOnly(d):
			return &d.Primary, true
		case d.Recorded && d.Secondary != nil && d.Secondary.Medium == route.Queue:
			return d.Secondary, true
		}
	}
	return nil, false
}

// records are the legs that end in a queue.
func (l *layout) records() map[legKey]legSpec {
	legs := map[legKey]legSpec{}
	for i := range l.plan.Channels {
		c := &l.plan.Channels[i]
		if w, ok := l.recordOf(c); ok {
			legs[legKey{c.Channel.Name, ""}] = legSpec{channel: c.Channel.Name, balance: c.Channel.Balance, breaker: c.Channel.Transport.Breaker,
				ways: []waySpec{{protocol: w.Backend.String(), stripes: 1, line: l.line(c, w, l.at, "")}}}
		}
	}
	return legs
}

// line is a queue of a channel, as both ends call it: what publishers of from put, for everybody or for one node.
func (l *layout) line(c *route.ChannelPlan, w *route.Way, from, to string) *netio.QueueLine {
	q := &netio.QueueLine{Channel: c.Channel.Name, Queue: w.Queue, RoutingKey: w.RoutingKey, From: from, To: to, Place: recordPlace, Groups: to}
	if to != "" {
		q.Place = placeOf(to)
	} else {
		q.Groups = strings.Join(l.takers(c), ",")
	}
	if d := c.Channel.Transport.Durability; d != topo.DurabilityAuto {
		q.Durability = d.String()
	}
	q.Packing = packing(w.Compression, c.Channel.Transport.CompressionLevel)
	if w.Encryption == topo.EncryptAES256GCM || w.Encryption == topo.EncryptChaCha20Poly1305 {
		k := c.Channel.Transport.Secret
		if secret, err := seal.ParseSecret(k.String(), k.Reveal()); err == nil { // openQueues has seen to it
			q.Secret = &secret
		}
	}
	return q
}

// packing is how envelopes are packed, as a line says it.
func packing(c topo.Compression, level int) string {
	switch {
	case c == topo.CompressNone || c == topo.CompressAuto:
		return ""
	case level > 0 && (c == topo.CompressZstd || c == topo.CompressAdaptive): // the others have none
		return fmt.Sprintf("%s:%d", c, level)
	}
	return c.String()
}

// takers are the groups that take a channel's record.
func (l *layout) takers(c *route.ChannelPlan) (all []string) {
	for i := range c.Decisions {
		if d := &c.Decisions[i]; d.To.Node != "" && queueOnly(d) {
			all = append(all, l.taker(c, d.To.Node))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// taker is the group by which a node takes a channel's record: those that share its sources are one.
func (l *layout) taker(c *route.ChannelPlan, node string) string {
	if nodes := l.groupOf(c.Channel.Name, node); nodes != nil {
		return nodes[0]
	}
	return node
}

// queueWays calls fn for each way through a queue that begins or ends on this node.
func (l *layout) queueWays(fn func(c *route.ChannelPlan, d *route.Decision, w *route.Way)) {
	for i := range l.plan.Channels {
		c := &l.plan.Channels[i]
		for j := range c.Decisions {
			d := &c.Decisions[j]
			for _, w := range []*route.Way{&d.Primary, d.Secondary} {
				if w != nil && w.Medium == route.Queue && (d.From.Node == l.at || d.To.Node == l.at) && d.To.Node != "" {
					fn(c, d, w)
				}
			}
		}
	}
}

// openQueues opens the kinds of queue that l needs, and says all that is wrong with its queues.
func (f *fabric) openQueues(l *layout) error {
	var faults []error
	fault := func(c *route.ChannelPlan, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s: channel %q: "+format, append([]any{ErrConfig, c.Channel.At, c.Channel.Name}, args...)...))
	}
	l.queueWays(func(c *route.ChannelPlan, d *route.Decision, w *route.Way) {
		k := &c.Channel.Transport
		if w.Encryption == topo.EncryptAES256GCM || w.Encryption == topo.EncryptChaCha20Poly1305 {
			if k.Secret.IsZero() {
				fault(c, "what lies in a queue is sealed with a secret: add secret, or tls for the queue in place of encryption")
			} else if _, err := seal.ParseSecret(k.Secret.String(), k.Secret.Reveal()); err != nil {
				fault(c, "%w", err)
			}
		}
		backend := w.Backend.String()
		if f.queues[backend] != nil {
			return
		}
		i := slices.IndexFunc(f.config.Queues, func(m QueueMedium) bool { return m.Backend() == backend })
		if i < 0 {
			fault(c, "it goes through %s, and Queues does not have that: %s", backend, listed(f.config.Queues, func(m QueueMedium) string { return m.Backend() }))
			return
		}
		site := l.site(w.Backend, f.note)
		site.Traced = f.node.traced(backend)
		site.Dead = l.deadLetters(w.Backend, f.config.Dir)
		q, err := f.config.Queues[i].Open(site)
		if err != nil {
			fault(c, "%w", err)
			return
		}
		f.queues[backend] = q
	})
	return errors.Join(faults...)
}

// site is this node as a kind of queue sees it.
func (l *layout) site(b topo.Backend, notes func(netio.Note)) netio.QueueSite {
	s := netio.QueueSite{Node: l.at, Topology: cmp.Or(l.topology.Name, "topology"), Notes: notes}
	if q := l.topology.Queue(b); q != nil {
		s.Addresses, s.User, s.TLS, s.Directory = q.Addresses, q.User, q.TLS, q.Directory
		if !q.Password.IsZero() {
			s.Password = q.Password.Reveal
		}
	}
	return s
}

// deadLetters is the directory of what this node cannot take from a kind of queue: where the file says, else beside the journals, else with
// the rings.
func (l *layout) deadLetters(b topo.Backend, dir string) string {
	if q := l.topology.Queue(b); q != nil && q.DeadLetters != "" {
		return filepath.Join(q.DeadLetters, l.at)
	}
	if q := l.topology.Queue(topo.Journal); q != nil && q.Directory != "" {
		return filepath.Join(q.Directory, "dead", l.at)
	}
	return filepath.Join(dir, ".dead", l.at)
}

// Refused says what came out of queues and could not be taken, by channel and kind of queue. It is empty in a process that joins no nodes.
func (n *Node) Refused(ctx context.Context) (all []Refused, err error) {
	if n.fabric == nil {
		return nil, nil
	}
	err = n.fabric.call(ctx, func() {
		for _, q := range n.fabric.queues {
			if r, ok := q.(netio.Refuser); ok {
				all = append(all, r.Refused()...)
			}
		}
	})
	slices.SortFunc(all, func(a, b Refused) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Queue, b.Queue))
	})
	return all, err
}

// Refused is what came out of a channel's queues and could not be taken: dead letters.
type Refused = netio.Refused

// ship opens the way into a queue.
func (f *fabric) ship(s waySpec) (netio.QueueWay, error) {
	line := *s.line
	if line.To != "" {
		line.Mark = filepath.Join(f.config.Dir, markOf(&s))
	}
	return f.queues[s.protocol].Ship(line)
}

const markPrefix = ".queued " // no channel's directory has a blank

// markOf is the name of the file that is there while a node may not have all of a queue.
func markOf(s *waySpec) string {
	return markPrefix + s.line.Channel + " " + s.line.To + " " + s.protocol + " " + url.PathEscape(s.line.Queue)
}

// abandoned says which queues hold something for a node that legs would go on to another way.
func (f *fabric) abandoned(legs map[legKey]legSpec) error {
	entries, err := os.ReadDir(f.config.Dir)
	if err != nil {
		return fmt.Errorf("transport: %w", err)
	}
	var faults []error
	for _, e := range entries {
		words := strings.Split(strings.TrimPrefix(e.Name(), markPrefix), " ")
		if !strings.HasPrefix(e.Name(), markPrefix) || len(words) != 4 {
			continue
		}
		s, ok := legs[legKey{words[0], words[1]}]
		if ok && !slices.ContainsFunc(s.ways, func(w waySpec) bool { return w.line != nil && markOf(&w) == e.Name() }) {
			faults = append(faults, fmt.Errorf("%w: channel %q: node %q has not taken all that is in queue %s of %s for it, and the file does not name that any more: "+
				"run the former file until it has, or give that up and remove %s", ErrConfig, words[0], words[1], words[3], words[2], filepath.Join(f.config.Dir, e.Name())))
		}
	}
	return errors.Join(faults...)
}

// take has what queues hold for this node come, as l says.
func (f *fabric) take(l *layout) error {
	due := map[netio.QueueLine]queueEnd{}
	l.queueWays(func(c *route.ChannelPlan, d *route.Decision, w *route.Way) {
		if d.To.Node != l.at || d.From.Node == l.at {
			return
		}
		to := ""
		if !queueOnly(d) {
			to = l.at
		}
		q := l.line(c, w, d.From.Node, to)
		secret := q.Secret
		q.Place, q.Group, q.Groups, q.Packing, q.Secret = "", l.at, "", "", nil // who takes expands whatever there is
		if to == "" {
			q.Group = l.taker(c, l.at)
		}
		due[*q] = queueEnd{w.Backend.String(), secret}
	})
	var faults []error
	for q, t := range f.takes {
		if _, ok := due[q]; !ok {
			faults = append(faults, t.Close())
			delete(f.takes, q)
		}
	}
	for q, end := range due {
		if _, ok := f.takes[q]; ok {
			continue
		}
		t, err := f.takeOne(q, end)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		f.takes[q] = taking{t, end.backend}
	}
	return errors.Join(faults...)
}

// queueEnd is what a line that is taken from has beyond what tells it from others.
type queueEnd struct {
	backend string
	secret  *seal.Secret
}

// taking is a line that is taken from, and which kind of queue it is.
type taking struct {
	io.Closer
	backend string
}

func (f *fabric) takeOne(q netio.QueueLine, end queueEnd) (t io.Closer, err error) {
	q.Secret = end.secret
	if q.Mirrors, err = f.mirrorsOf(q.Channel); err != nil {
		return nil, err
	}
	if t, err = f.queues[end.backend].Take(q); err == nil {
		f.node.observer.timesQueue(t, watch.Received, q.Channel, q.From, end.backend)
	}
	return t, err
}

// drained reports whether a way may take the leg's place: no queue beside it has anything that the node has not taken.
func (l *leg) drained(but *candidate) bool {
	return !slices.ContainsFunc(l.ways, func(c *candidate) bool { return c != but && c.queue != nil && !c.queue.Drained() })
}

// leastLag is how little has to be in a queue before its leg goes back to a better way: then what is published while the rest is taken has
// room in the ring.
func (l *leg) leastLag() uint64 {
	if len(l.ways) < 2 || !slices.ContainsFunc(l.ways, func(c *candidate) bool { return c.queue != nil }) {
		return 0
	}
	return uint64(cmp.Or(l.spec.ringBytes, ring.DefaultCapacity)) / 2
}

// leaveQueues closes the leg's ways into queues.
func (l *leg) leaveQueues() error {
	var faults []error
	for _, c := range l.ways {
		if c.queue != nil {
			faults = append(faults, c.queue.Close())
		}
	}
	return errors.Join(faults...)
}
