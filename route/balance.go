package route

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alphapulse/transport/route/topo"
)

const (
	maxMembers = 256
	maxSources = 1 << 16
)

// Errors of a Balancer.
var (
	ErrNoMember = errors.New("route: nobody to carry a source: join a member first")
	ErrMember   = errors.New("route: a member is refused")
	ErrSources  = errors.New("route: too many sources: forget those that ended")
)

// BalancerOptions say how sources are spread over members.
type BalancerOptions struct {
	// Method is round robin unless it is set. Round robin gives a source to whoever has fewest for its weight, in turn. Least lag
	// gives it to whose links lag least. Rendezvous asks the source's own number, so that everybody who knows the members comes
	// to the same answer.
	Method topo.Balance

	// Spread bounds what a member may have, as a multiple of its fair share, rounded up to whole sources; 0 is 1.25. It keeps least
	// lag from giving everything to one between two reports of lag, and evens what rendezvous leaves to chance.
	Spread float64
}

// Share is what a member has.
type Share struct {
	Name    string
	Weight  float64
	Sources int
	Lag     uint64 // as last reported
}

// Move takes a source from one member to another. An empty From means that it had left already.
type Move struct {
	Source   uint64
	From, To string
}

type member struct {
	Share
	hash uint64
}

// Balancer says which member carries a source: a stripe of one channel, or a node among those that share its work. A source stays
// where it is until a Move takes it elsewhere, and the caller carries that out at the confirmed cursor: so order per source is kept.
// A member that leaves moves its own sources and nobody else's. The zero Balancer does round robin and has no members.
// One goroutine at a time.
type Balancer struct {
	o       BalancerOptions
	members []member // by name
	places  map[uint64]string
	order   []uint64 // sources, oldest first, so that moves do not depend on a map's order
	turn    int      // round robin: who has the next turn when shares are even
}

// NewBalancer is a balancer with options of its own and no members.
func NewBalancer(o BalancerOptions) (*Balancer, error) {
	if o.Spread != 0 && !(o.Spread >= 1) {
		return nil, fmt.Errorf("route: a spread of %g: want 1 or more, so that everything has a place", o.Spread)
	}
	if o.Method > topo.Rendezvous {
		return nil, fmt.Errorf("route: method %s: want round_robin, least_lag or rendezvous", o.Method)
	}
	return &Balancer{o: o}, nil
}

// Join adds a member. Weight is what it takes in proportion to others; 0 is 1. Nothing moves: Even says what should.
func (b *Balancer) Join(name string, weight float64) error {
	weight = orDefault(weight, 1)
	i, there := b.find(name)
	switch {
	case there:
		return fmt.Errorf("%w: %s is one already", ErrMember, name)
	case name == "" || !(weight > 0) || math.IsInf(weight, 1):
		return fmt.Errorf("%w: name %q, weight %g: want a name and a weight above 0", ErrMember, name, weight)
	case len(b.members) == maxMembers:
		return fmt.Errorf("%w: %s would be one more than %d", ErrMember, name, maxMembers)
	}
	b.members = slices.Insert(b.members, i, member{Share{Name: name, Weight: weight}, hashName(name)})
	return nil
}

// Leave takes a member out and moves its sources to the others. Without others they have no place until somebody joins and they
// are placed again.
func (b *Balancer) Leave(name string) []Move {
	i, there := b.find(name)
	if !there {
		return nil
	}
	b.members = slices.Delete(b.members, i, i+1)
	var moves []Move
	kept := b.order[:0]
	for _, source := range b.order {
		if b.places[source] != name {
			kept = append(kept, source)
			continue
		}
		delete(b.places, source)
		moves = append(moves, Move{Source: source, From: name})
	}
	b.order = kept
	for i := range moves {
		moves[i].To, _ = b.Place(moves[i].Source)
	}
	return moves
}

// Lag is what a member's links lag behind now, in bytes. It decides where the next source goes; it moves none.
func (b *Balancer) Lag(name string, bytes uint64) {
	if i, there := b.find(name); there {
		b.members[i].Lag = bytes
	}
}

// Place is the member that carries a source. A source that is not known gets its place now.
func (b *Balancer) Place(source uint64) (string, error) {
	if name, ok := b.places[source]; ok {
		return name, nil
	}
	switch {
	case len(b.members) == 0:
		return "", ErrNoMember
	case len(b.places) == maxSources:
		return "", fmt.Errorf("%w: %d", ErrSources, maxSources)
	case b.places == nil:
		b.places = make(map[uint64]string)
	}
	i := b.choose(source, len(b.places)+1)
	b.members[i].Sources++
	b.turn = (i + 1) % len(b.members)
	b.places[source] = b.members[i].Name
	b.order = append(b.order, source)
	return b.members[i].Name, nil
}

// Forget drops a source that ended.
func (b *Balancer) Forget(source uint64) {
	name, ok := b.places[source]
	if !ok {
		return
	}
	b.take(name)
	delete(b.places, source)
	b.order = slices.DeleteFunc(b.order, func(s uint64) bool { return s == source })
}

// Even moves at most so many sources to where they would go today, oldest first: after a member joined, or when lag has shifted.
// Each is a hand-over of a running source, so nobody calls it more often than that is worth.
func (b *Balancer) Even(most int) []Move {
	var moves []Move
	for _, source := range b.order {
		if len(moves) >= most {
			break
		}
		from := b.places[source]
		b.take(from)
		to := b.choose(source, len(b.places))
		if i, _ := b.find(from); b.o.Method != topo.Rendezvous && !b.gains(i, to) {
			to = i
		}
		b.members[to].Sources++
		if name := b.members[to].Name; name != from {
			b.places[source] = name
			moves = append(moves, Move{source, from, name})
		}
	}
	return moves
}

// gains: a move is worth its hand-over. It leaves the other member less loaded than the first was, or the first lags twice as much.
func (b *Balancer) gains(from, to int) bool {
	f, t := &b.members[from], &b.members[to]
	lagF, lagT := float64(f.Lag)/f.Weight, float64(t.Lag)/t.Weight
	fewer := float64(t.Sources+1)/t.Weight < float64(f.Sources+1)/f.Weight
	if b.o.Method == topo.LeastLag {
		return 2*lagT < lagF || lagT <= lagF && fewer
	}
	return fewer
}

// Shares is what each member has, by name.
func (b *Balancer) Shares() []Share {
	all := make([]Share, len(b.members))
	for i := range b.members {
		all[i] = b.members[i].Share
	}
	return all
}

func (b *Balancer) take(name string) {
	if i, there := b.find(name); there {
		b.members[i].Sources--
	}
}

func (b *Balancer) find(name string) (int, bool) {
	return slices.BinarySearchFunc(b.members, name, func(m member, name string) int { return strings.Compare(m.Name, name) })
}

// choose finds the member for a source when there are total sources with it. Only those below their bound are asked; there is
// always one, since the bounds add up to total at least.
func (b *Balancer) choose(source uint64, total int) int {
	weight := 0.0
	for i := range b.members {
		weight += b.members[i].Weight
	}
	best, cheapest, lightest := -1, 0.0, 0.0
	for k := range b.members {
		i := (b.turn + k) % len(b.members)
		m := &b.members[i]
		fair := float64(total) * m.Weight / weight
		if float64(m.Sources) >= math.Ceil(orDefault(b.o.Spread, 1.25)*fair-1e-9) {
			continue
		}
		cost, load := b.cost(m, source), float64(m.Sources)/m.Weight
		if best < 0 || cost < cheapest || cost == cheapest && load < lightest {
			best, cheapest, lightest = i, cost, load
		}
	}
	return max(best, 0)
}

// cost orders members for a source, the best lowest.
func (b *Balancer) cost(m *member, source uint64) float64 {
	switch b.o.Method {
	case topo.LeastLag:
		return float64(m.Lag) / m.Weight
	case topo.Rendezvous:
		return distance(source, m.hash, m.Weight)
	}
	return float64(m.Sources) / m.Weight
}

// Rendezvous is which of some members a key belongs to, by name and weight alone: everybody who knows them comes to the same answer
// without a word, and a member that leaves moves its own keys and nobody else's. It is -1 if no member has a name and a weight.
func Rendezvous(key uint64, members []Share) int {
	best, nearest := -1, math.Inf(1)
	for i := range members {
		m := &members[i]
		if m.Name == "" || !(m.Weight > 0) {
			continue
		}
		if d := distance(key, hashName(m.Name), m.Weight); best < 0 || d < nearest || d == nearest && m.Name < members[best].Name {
			best, nearest = i, d
		}
	}
	return best
}

// distance is exponentially distributed with the weight as its rate: the nearest of several is then each in proportion to its weight.
func distance(key, name uint64, weight float64) float64 {
	h := mix(mix(key+0x9e3779b97f4a7c15) ^ name)
	return -math.Log((float64(h>>11)+0.5)/(1<<53)) / weight
}

// hashName is FNV-1a, spread.
func hashName(name string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return mix(h)
}
