package transport

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

// legSpec is what a plan says of one channel to one node.
type legSpec struct {
	channel, node string
	ways          []waySpec // the preferred one first
	balance       topo.Balance
	breaker       topo.Breaker
	group         []string // nodes that share the channel with this one; nil: it gets everything
	ringBytes     int      // of its publishers
	evicts        bool     // a place that holds publishers up is cut off
}

type waySpec struct {
	protocol string
	stripes  int
	line     *netio.QueueLine // into a queue; nil: to the node
}

// place is the name of the place in a ring from which the leg's ways read it.
func (s legSpec) place() string {
	if s.node == "" {
		return recordPlace
	}
	return placeOf(s.node)
}

func (s legSpec) keysOf(i int) (keys []linkKey) {
	if s.ways[i].line != nil {
		return nil
	}
	for stripe := range s.ways[i].stripes {
		keys = append(keys, linkKey{s.ways[i].protocol, s.node, stripe})
	}
	return keys
}

func (s legSpec) keys() (all []linkKey) {
	for i := range s.ways {
		all = append(all, s.keysOf(i)...)
	}
	return all
}

// made reports whether the leg is as the plan says.
func (l *leg) made(s legSpec) bool { return reflect.DeepEqual(l.spec, s) }

// protocolOf is the medium that carries a way between nodes; ok is false for what is none.
func protocolOf(w *route.Way) (protocol string, ok bool) {
	if w == nil {
		return "", false
	}
	switch w.Medium {
	case route.TCP, route.UDP, route.QUIC, route.XDP:
		return w.Medium.String(), true
	}
	return "", false
}

// between calls fn for each channel and pair of nodes, one of which is at, with the first decision about them.
func (l *layout) between(fn func(c *route.ChannelPlan, d *route.Decision, far string, sends bool)) {
	type pair struct{ channel, from, to string }
	seen := map[pair]bool{}
	for i := range l.plan.Channels {
		c := &l.plan.Channels[i]
		for j := range c.Decisions {
			d := &c.Decisions[j]
			key := pair{d.Channel, d.From.Node, d.To.Node}
			if d.From.Node == d.To.Node || d.From.Node != l.at && d.To.Node != l.at || seen[key] {
				continue
			}
			seen[key] = true
			if d.From.Node == l.at {
				fn(c, d, d.To.Node, true)
			} else {
				fn(c, d, d.From.Node, false)
			}
		}
	}
}

// legsOf is every leg of a plan that begins here.
func legsOf(l *layout) map[legKey]legSpec {
	legs := map[legKey]legSpec{}
	l.between(func(c *route.ChannelPlan, d *route.Decision, far string, sends bool) {
		if !sends || l.spared(d.Channel, far) {
			return
		}
		s := legSpec{channel: d.Channel, node: far, balance: c.Channel.Balance, breaker: c.Channel.Transport.Breaker, group: l.groupOf(d.Channel, far), ringBytes: c.Channel.RingBytes,
			evicts: c.Channel.Slow == topo.SlowEvict && c.Channel.Reliability != topo.BestEffort}
		for _, w := range []*route.Way{&d.Primary, d.Secondary} {
			if protocol, ok := protocolOf(w); ok {
				s.ways = append(s.ways, waySpec{protocol: protocol, stripes: max(w.Stripes, 1)})
			} else if w != nil && w.Medium == route.Queue && d.Secondary != nil {
				s.ways = append(s.ways, waySpec{protocol: w.Backend.String(), stripes: 1, line: l.line(c, w, l.at, far)})
			}
		}
		if len(s.ways) > 0 {
			legs[legKey{d.Channel, far}] = s
		}
	})
	maps.Copy(legs, l.records())
	return legs
}

// fars is every way that a plan has between this node and others, with the channels on it.
func (f *fabric) fars(l *layout) (map[linkKey]netio.Far, error) {
	all := map[linkKey]netio.Far{}
	var fault error
	l.between(func(c *route.ChannelPlan, d *route.Decision, far string, sends bool) {
		for _, w := range []*route.Way{&d.Primary, d.Secondary, d.Shadow} {
			protocol, ok := protocolOf(w)
			if !ok {
				continue
			}
			from, n := 0, max(w.Stripes, 1)
			if w == d.Shadow {
				from, n = shadowLink, 1
			}
			for stripe := from; stripe < from+n; stripe++ {
				key := linkKey{protocol, far, stripe}
				one, ok := all[key]
				if !ok {
					var err error
					if one, err = f.far(l, key, c, w); err != nil {
						fault = err
						return
					}
				}
				var err error
				if one.Exchanges, err = f.exchange(l, one.Exchanges, c, w, sends, w == d.Shadow); err != nil {
					fault = err
					return
				}
				one.Secure = one.Secure || w.Encryption == topo.EncryptTLS
				one.Heartbeat, one.Liveness = sooner(one.Heartbeat, c.Channel.Heartbeat), sooner(one.Liveness, c.Channel.Liveness)
				all[key] = one
			}
		}
	})
	return all, fault
}

// far is a node as a way leads to it.
func (f *fabric) far(l *layout, key linkKey, c *route.ChannelPlan, w *route.Way) (netio.Far, error) {
	n := l.topology.Node(key.node)
	to, err := addresses(n, portOf(n, key.protocol))
	if err != nil {
		return netio.Far{}, err
	}
	dials := slices.IndexFunc(l.topology.Nodes, func(n topo.Node) bool { return n.Name == l.at }) <
		slices.IndexFunc(l.topology.Nodes, func(n topo.Node) bool { return n.Name == key.node })
	return netio.Far{Node: key.node, Addresses: to, Dials: dials, Stripe: key.stripe, Interface: w.Interface}, nil
}

// exchange adds a direction of a channel to what is exchanged.
func (f *fabric) exchange(l *layout, all []netio.Exchange, c *route.ChannelPlan, w *route.Way, sends, shadow bool) (_ []netio.Exchange, err error) {
	name := c.Channel.Name
	known := name
	if shadow {
		known = shadowOf(name)
	}
	i := slices.IndexFunc(all, func(e netio.Exchange) bool { return e.Channel == known })
	if i < 0 {
		e := netio.Exchange{Channel: known, BestEffort: c.Channel.Reliability == topo.BestEffort,
			Capacity: c.Channel.RingBytes, Largest: c.Channel.MaxMessageBytes, Number: slices.IndexFunc(l.topology.Channels, func(one topo.Channel) bool { return one.Name == name })}
		if c.Channel.Domain != 0 {
			e.Domain = c.Channel.Domain.String()
		}
		if err := f.sealing(l, &e, &c.Channel, w); err != nil {
			return nil, err
		}
		if err := packs(&e, &c.Channel, w); err != nil {
			return nil, err
		}
		i, all = len(all), append(all, e)
	}
	if sends {
		all[i].Sends = true
		return all, nil
	}
	all[i].Takes = true
	if shadow {
		c, err := f.compared(name)
		if err == nil {
			all[i].Mirrors = c.mirrors
		}
		return all, err
	}
	all[i].Mirrors, err = f.mirrorsOf(name)
	return all, err
}

// sealing says how the envelopes of a channel are sealed on a way that is no stream.
func (f *fabric) sealing(l *layout, e *netio.Exchange, c *topo.Channel, w *route.Way) error {
	if w.Medium != route.UDP && w.Medium != route.XDP {
		return nil
	}
	e.Sealed = w.Encryption != topo.EncryptNone
	if w.Encryption == topo.EncryptChaCha20Poly1305 {
		e.Suite = seal.ChaCha20Poly1305
	}
	if c.Transport.Secret.IsZero() {
		e.Agreed = e.Sealed && (f.config.Identity != nil || l.topology.Node(l.at).Trust.Certificate != "")
		return nil
	}
	secret, err := seal.ParseSecret(c.Transport.Secret.String(), c.Transport.Secret.Reveal())
	if err != nil {
		return fmt.Errorf("transport: %s: channel %q: %w", c.At, c.Name, err)
	}
	e.Secret = &secret
	return nil
}

// packs says how the envelopes of a channel are packed on a way.
func packs(e *netio.Exchange, c *topo.Channel, w *route.Way) error {
	e.Packing = packing(w.Compression, c.Transport.CompressionLevel)
	if e.Packing == "" {
		return nil
	}
	var o pack.Options
	name, level, _ := strings.Cut(e.Packing, ":")
	err := o.Method.UnmarshalText([]byte(name))
	if level != "" {
		o.Level = c.Transport.CompressionLevel
	}
	if err == nil {
		_, err = pack.New(o)
	}
	if err != nil {
		return fmt.Errorf("transport: %s: channel %q: %w", c.At, c.Name, err)
	}
	e.Codecs = []string{name}
	if o.Method == pack.Adaptive {
		e.Codecs = []string{pack.LZ4.String(), pack.Snappy.String(), pack.Zstd.String()}
	}
	e.Codec = func() seal.Codec {
		c, _ := pack.New(o) // it was made once with the same
		return c
	}
	return nil
}

// sooner is the shorter of two times, of which 0 says nothing.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// sameFar reports whether a way need not be opened anew.
func sameFar(a, b netio.Far) bool { return reflect.DeepEqual(bare(a), bare(b)) }

// bare is f without what cannot be compared, where Packing says as much, and what nothing depends on.
func bare(f netio.Far) netio.Far {
	f.Exchanges = slices.Clone(f.Exchanges)
	for i := range f.Exchanges {
		e := &f.Exchanges[i]
		e.Codec, e.Carried, e.Received = nil, nil, nil
	}
	return f
}

// mirrorsOf has a channel's mirrors, for all ways that bring it.
func (f *fabric) mirrorsOf(channel string) (*netio.Mirrors, error) {
	if m := f.mirrors[channel]; m != nil {
		return m, nil
	}
	o, err := f.node.Inbox(channel)
	if err != nil {
		return nil, err
	}
	o.Sources = mirrorsMost
	opened := o.Opened
	o.Opened = func(r *ring.Ring) {
		f.told(fmt.Sprintf("channel %s, mirror %x", channel, r.Info().Instance), f.node.layout.Load().hold(channel, r, true))
		f.told(fmt.Sprintf("channel %s, mirror %x beside its shadow", channel, r.Info().Instance), f.bring(channel, r))
		f.node.slowest.watch(channel, r)
		opened(r)
	}
	m, err := netio.NewMirrors(o)
	if err == nil {
		f.mirrors[channel] = m
	}
	return m, err
}

const mirrorsMost = 256 // sources of a channel that other nodes bring

const lookUpWithin = 2 * time.Second

// lookUp finds the addresses of a host.
func lookUp(name string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookUpWithin)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", name, err)
	}
	return all, nil
}
