package transport

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// leg is one channel on its way to one node: its rings, the ways that may carry them, and which of them does. It belongs to the fabric's
// goroutine.
type leg struct {
	channel, node string
	spec          legSpec
	rings         []*ring.Ring
	ways          []*candidate // the preferred one first
	failover      *route.Failover
}

// candidate is one of a leg's ways: parallel links of one medium. It is the route.Link of the leg's Failover.
type candidate struct {
	leg      *leg
	protocol string
	stripes  []netio.Way
	spread   *route.Balancer
	alive    []bool
	has      map[*ring.Ring]int // rings that it carries, by stripe; those without one yet are not in it
	holds    bool               // the leg's rings are its to carry
	refused  error              // why it does not take the leg's rings, while it lets go of those that it took
	breaker  *route.Breaker
	queue    netio.QueueWay // its only stripe, if that ends in a queue
	lived    bool           // when it was looked at last
	probed   time.Duration  // when the breaker was last asked
	err      error          // the latest of what a way refused
}

func newCandidate(l *leg, protocol string, stripes []netio.Way, balance topo.Balance, b topo.Breaker) (*candidate, error) {
	c := &candidate{leg: l, protocol: protocol, stripes: stripes, has: map[*ring.Ring]int{}, alive: make([]bool, len(stripes))}
	var err error
	if c.spread, err = route.NewBalancer(route.BalancerOptions{Method: balance}); err != nil {
		return nil, err
	}
	for i := range stripes {
		if err := c.spread.Join(strconv.Itoa(i), 1); err != nil {
			return nil, err
		}
		c.alive[i] = true
	}
	c.breaker, err = route.NewBreaker(route.BreakerOf(b, 0))
	return c, err
}

// Add has the candidate carry the leg's rings: all of them, or it lets go of those it took before it says why not.
func (c *candidate) Add() (done bool, err error) {
	if c.refused == nil {
		if !c.leg.drained(c) {
			return false, nil // what is in a queue comes first
		}
		c.holds = true
		if c.takeAll(); c.err == nil {
			return true, nil
		}
		c.refused = c.err
	}
	why := c.refused
	if done, err = c.Remove(); !done {
		c.refused = why
		return false, nil
	}
	c.err = why
	return false, errors.Join(why, err)
}

// takeAll carries those of the leg's rings that it does not carry yet. err says what was refused.
func (c *candidate) takeAll() {
	var faults []error
	for _, r := range c.leg.rings {
		faults = append(faults, c.take(r))
	}
	c.err = errors.Join(faults...)
}

// take carries one ring, unless it does.
func (c *candidate) take(r *ring.Ring) error {
	if _, ok := c.has[r]; ok {
		return nil
	}
	i, err := c.place(r)
	if err != nil {
		return err
	}
	if err := c.stripes[i].Add(c.leg.channel, r); err != nil {
		return err
	}
	c.has[r] = i
	return nil
}

// place is the stripe that a ring belongs on.
func (c *candidate) place(r *ring.Ring) (int, error) {
	name, err := c.spread.Place(r.Info().Instance)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(name)
}

// Remove has it carry none any more.
func (c *candidate) Remove() (done bool, err error) {
	c.holds, c.refused = false, nil
	var faults []error
	for r := range c.has {
		faults = append(faults, c.drop(r))
	}
	c.err = errors.Join(faults...)
	return len(c.has) == 0, c.err
}

// drop lets go of one ring, or will when it is called again.
func (c *candidate) drop(r *ring.Ring) error {
	done, err := c.stripes[c.has[r]].Remove(c.leg.channel, r)
	if done {
		delete(c.has, r)
	}
	return err
}

// Alive reports whether a stripe is alive and the breaker lets the channel pass.
func (c *candidate) Alive(now time.Duration) bool {
	alive := false
	for _, w := range c.stripes {
		alive = alive || w.Alive(c.leg.channel)
	}
	if !alive {
		if c.lived {
			c.breaker.Trip(now)
		}
		c.lived = false
		return false
	}
	c.lived = true
	switch s := c.breaker.Stats(now); s.State {
	case route.BreakerClosed:
		return true
	case route.BreakerOpen:
		return false
	}
	const between = 50 * time.Millisecond // two probes: each says that the way lives
	if now-c.probed >= between {
		c.probed = now
		if t, err := c.breaker.Allow(now); err == nil {
			c.breaker.Done(t, now, nil)
		}
	}
	return c.breaker.Stats(now).State == route.BreakerClosed
}

// Lag is how much is not confirmed.
func (c *candidate) Lag() (n uint64) {
	for _, w := range c.stripes {
		n += w.Lag(c.leg.channel)
	}
	return n
}

// even moves rings off stripes that died, and back onto those that live again. Who lives it also notes while it carries none: they are placed by
// that when it does.
func (c *candidate) even() {
	if len(c.stripes) == 1 {
		return
	}
	for i, w := range c.stripes {
		name := strconv.Itoa(i)
		if alive := w.Alive(c.leg.channel); alive != c.alive[i] {
			c.alive[i] = alive
			if !alive {
				c.spread.Leave(name)
			} else if c.spread.Join(name, 1) == nil {
				c.spread.Even(len(c.leg.rings))
			}
		}
		c.spread.Lag(name, w.Lag(c.leg.channel))
	}
	if !c.holds {
		return
	}
	for r, at := range c.has {
		to, err := c.place(r)
		if err != nil || to == at {
			continue // nobody lives: it waits where it is
		}
		if err := c.drop(r); err != nil {
			c.err = err
		}
	}
	for _, r := range c.leg.rings {
		if err := c.take(r); err != nil && !errors.Is(err, route.ErrNoMember) {
			c.err = err
		}
	}
}

// do makes the leg's next step.
func (l *leg) do(now time.Duration) {
	l.failover.Do(now)
	for _, c := range l.ways {
		c.even()
	}
}

// add carries one more ring.
func (l *leg) add(r *ring.Ring) (err error) {
	l.rings = append(l.rings, r)
	for _, c := range l.ways {
		if c.holds {
			c.err = c.take(r)
			err = errors.Join(err, c.err)
		}
	}
	return err
}

// leave lets go of a ring whose file is gone. It reports whether nobody has it any more.
func (l *leg) leave(r *ring.Ring) bool {
	l.rings = slices.DeleteFunc(l.rings, func(one *ring.Ring) bool { return one == r })
	left := true
	for _, c := range l.ways {
		if _, ok := c.has[r]; ok {
			if err := c.drop(r); err != nil {
				c.err = err
			}
			c.spread.Forget(r.Info().Instance)
		}
		_, still := c.has[r]
		left = left && !still
	}
	return left
}

// renew takes up rings again from which the leg's place was cut off because it held their publishers up: from the oldest record that they
// still have, and not before the other node can be reached.
func (c *candidate) renew() {
	if !c.holds || !c.leg.spec.evicts {
		return
	}
	for r, at := range c.has {
		if r.Gates(c.leg.spec.place()) || !c.stripes[at].Alive(c.leg.channel) {
			continue
		}
		if err := c.drop(r); err != nil {
			c.err = err
		} else if _, still := c.has[r]; !still {
			c.err = c.take(r)
		}
	}
}

// retry takes up rings that a way refused.
func (l *leg) retry() {
	for _, c := range l.ways {
		c.renew()
		if c.holds && len(c.has) < len(l.rings) {
			c.takeAll()
		}
	}
}
