package xdp

import "github.com/alphapulse/transport/internal/sys"

// A socket shares four rings with the kernel. Of each, one side owns the producer, the other the consumer; both are counted modulo
// 2³² and published with release order, so that the entries between them are seen by the side that they belong to. Each side keeps
// a copy of the other's number and looks again only when the copy does not suffice.

// producer is our side of a ring that the kernel empties: fill and send.
type producer[E any] struct {
	ring    sys.XSKRing
	entries []E
	mask    uint32
	head    uint32 // ours: entries below it are published
	tail    uint32 // the kernel's, as last seen
}

func newProducer[E any](r sys.XSKRing, entries []E) producer[E] {
	return producer[E]{ring: r, entries: entries, mask: r.Size - 1, head: r.Load32(r.Producer), tail: r.Load32(r.Consumer)}
}

// room is how many entries are free, looking again if fewer than want seem to be.
func (p *producer[E]) room(want int) int {
	free := p.ring.Size - (p.head - p.tail)
	if free < uint32(want) {
		p.tail = p.ring.Load32(p.ring.Consumer)
		free = p.ring.Size - (p.head - p.tail)
	}
	return int(free)
}

// at is the ith entry behind what is published. There must be room for it.
func (p *producer[E]) at(i int) *E { return &p.entries[(p.head+uint32(i))&p.mask] }

// publish hands over n entries.
func (p *producer[E]) publish(n int) {
	p.head += uint32(n)
	p.ring.Store32(p.ring.Producer, p.head)
}

// asleep reports whether the kernel wants to be called. The load may pass the store of publish, and the kernel may have gone to sleep
// in between: whoever depends on an answer asks again later.
func (p *producer[E]) asleep() bool { return p.ring.Load32(p.ring.Flags)&sys.XSKWakeup != 0 }

// left is how many published entries the kernel has not taken.
func (p *producer[E]) left() int {
	p.tail = p.ring.Load32(p.ring.Consumer)
	return int(p.head - p.tail)
}

// consumer is our side of a ring that the kernel fills: completion and receive. Like a ring.Reader it has two numbers.
type consumer[E any] struct {
	ring    sys.XSKRing
	entries []E
	mask    uint32
	head    uint32 // the kernel's, as last seen
	next    uint32 // ours: the next entry to look at
	tail    uint32 // ours: entries below it are given back
}

func newConsumer[E any](r sys.XSKRing, entries []E) consumer[E] {
	tail := r.Load32(r.Consumer)
	return consumer[E]{ring: r, entries: entries, mask: r.Size - 1, head: r.Load32(r.Producer), next: tail, tail: tail}
}

// ready is how many entries are there from next on, looking again if fewer than want seem to be.
func (c *consumer[E]) ready(want int) int {
	if n := c.head - c.next; n >= uint32(want) {
		return want
	}
	c.head = c.ring.Load32(c.ring.Producer)
	return min(int(c.head-c.next), want)
}

// at is the ith entry from next on.
func (c *consumer[E]) at(i int) *E { return &c.entries[(c.next+uint32(i))&c.mask] }

// held is the ith entry of those looked at and not given back.
func (c *consumer[E]) held(i int) *E { return &c.entries[(c.tail+uint32(i))&c.mask] }

// advance moves on by n entries, and release gives the first n back.
func (c *consumer[E]) advance(n int) { c.next += uint32(n) }

func (c *consumer[E]) release(n int) {
	c.tail += uint32(n)
	c.ring.Store32(c.ring.Consumer, c.tail)
}

// out is how many entries were looked at and not given back.
func (c *consumer[E]) out() int { return int(c.next - c.tail) }
