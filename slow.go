package transport

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

const (
	// slowEvery is how often a node looks at who holds its rings up. It is what an eviction may come late by.
	slowEvery = 5 * time.Millisecond

	// slowFull is the share of a ring from which on a reader counts as holding it up: a record takes an eighth at most, and the pad before
	// it another, so nobody is in the way who is less behind.
	slowFull = 0.75

	// wayGrace is what a way to another node has beyond slow_wait, so that the node can cut off the one subscriber there that stopped, and
	// not all are.
	wayGrace = 100 * time.Millisecond
)

// guarded is a ring that this process writes, a publisher's or a mirror, and who has held it up since when.
type guarded struct {
	channel string
	ring    *ring.Ring
	options route.SlowOptions
	slow    *route.Slow
}

// slowest is the rings of a node of which slow readers are cut off where the topology says so. Mirrors are among them: a subscriber that stops
// is cut off where it is, and the others of its node go on.
type slowest struct {
	mu      sync.Mutex
	rings   []*guarded
	evicted map[string]uint64 // by channel
}

func (s *slowest) watch(channel string, r *ring.Ring) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rings = append(s.rings, &guarded{channel: channel, ring: r})
}

// Evicted is how many readers of a channel this node has cut off because they held its publishers, or what other nodes publish, up for longer
// than the topology's slow_wait. Each was told of in a Note.
func (n *Node) Evicted(channel string) uint64 {
	n.slowest.mu.Lock()
	defer n.slowest.mu.Unlock()
	return n.slowest.evicted[channel]
}

// release cuts off who holds others up, until ctx ends.
func (n *Node) release(ctx context.Context) {
	tick := time.NewTicker(slowEvery)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, note := range n.slowest.look(time.Since(began), n.layout.Load()) {
			if n.config.Notes != nil {
				n.config.Notes(note)
			}
		}
	}
}

// look looks at each ring, at most one reader of which goes.
func (s *slowest) look(now time.Duration, l *layout) (notes []netio.Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.rings[:0]
	for _, g := range s.rings {
		behind, err := g.ring.Behind()
		if err != nil { // closed, or cut short: its publisher is told
			continue
		}
		kept = append(kept, g)
		if reader, ok := g.look(now, l, behind); ok {
			if s.evicted == nil {
				s.evicted = map[string]uint64{}
			}
			s.evicted[g.channel]++
			node := ""
			if toNode(reader) {
				node = reader.Name[len(placeOf("")):]
			}
			notes = append(notes, netio.Note{Node: node, Channel: g.channel, What: "evicted", Err: fmt.Errorf(
				"transport: channel %q: %s held it up for %s: let it keep up, or raise slow_wait or ring_size: %w", g.channel, reader, g.options.Wait, ring.ErrEvicted)})
		}
	}
	clear(s.rings[len(kept):])
	s.rings = kept
	return notes
}

// look cuts off the reader that may hold the ring up no longer.
func (g *guarded) look(now time.Duration, l *layout, behind uint64) (gone ring.ReaderInfo, ok bool) {
	c := l.channel(g.channel)
	if c == nil || c.Channel.Slow != topo.SlowEvict {
		g.slow = nil
		return gone, false
	}
	o := route.SlowOptions{Policy: topo.SlowEvict, Wait: c.Channel.SlowWait, Full: slowFull}
	if g.slow == nil || g.options != o {
		slow, err := route.NewSlow(o)
		if err != nil { // the file was checked
			return gone, false
		}
		g.options, g.slow = o, slow
	}
	capacity := uint64(g.ring.Info().Capacity)
	var readers []ring.ReaderInfo
	if float64(behind) >= slowFull*float64(capacity) { // else nobody need be named, which costs system calls
		readers, _ = g.ring.Readers()
	}
	var gates []route.Gate
	var infos []ring.ReaderInfo
	for _, r := range readers {
		if !r.Gating {
			continue
		}
		one := route.Gate{Name: strconv.Itoa(r.Slot) + " " + r.Name, Lag: r.Lag, Cursor: r.Cursor, Kept: r.Held}
		if toNode(r) {
			one.Grace = wayGrace
		}
		gates, infos = append(gates, one), append(infos, r)
	}
	i := g.slow.Look(now, capacity, gates)
	if i < 0 {
		return gone, false
	}
	return infos[i], g.ring.Evict(infos[i])
}

// toNode tells the place of a way from a subscriber's, whose name has no blank.
func toNode(r ring.ReaderInfo) bool { return strings.HasPrefix(r.Name, placeOf("")) }
