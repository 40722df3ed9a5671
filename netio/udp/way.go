package udp

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// way is what is sent to one node.
type way struct {
	ways    *ways
	far     netio.Far
	outlets map[string]*outlet // by channel
	takes   []*inlet
}

// How long a way on which nobody answered counts as dead once it carries nothing, and so cannot be told otherwise: twice as long each time.
const (
	shunFirst = time.Second
	shunMost  = time.Minute
)

// outlet is one channel to one node.
type outlet struct {
	*Sender
	ways    *ways
	far     netio.Far
	channel string
	failed  atomic.Bool
	up      bool // a receiver was heard; the loop's

	mu       sync.Mutex
	rings    []*ring.Ring  // that it was given; without a secret the sender has none of them
	mute     bool          // there is no secret to seal with
	since    time.Time     // when it began to carry
	heard    bool          // since then
	shun     time.Duration // how long it counts as dead the next time
	shunTill time.Time
}

// open opens the ends of a channel.
func (w *way) open(e netio.Exchange) error {
	if e.Takes {
		if err := w.ways.listen(w.far, e); err != nil {
			return err
		}
		w.takes = append(w.takes, w.ways.inlets[e.Channel])
	}
	if !e.Sends {
		return nil
	}
	to, err := w.ways.portOf(w.far.Addresses[0], e)
	if err != nil {
		return err
	}
	line := Dial{To: to, Interface: w.far.Interface}
	if w.ways.past != nil {
		if line.Medium, err = w.ways.past.Dial(w.far, to); err != nil {
			return err
		}
	}
	o := &outlet{ways: w.ways, far: w.far, channel: e.Channel, mute: e.Agreed}
	so := SenderOptions{Channel: e.Channel, Lines: []Dial{line}, Reliability: reliabilityOf(e), Name: placeOf(w.far.Node), Secret: e.Secret,
		Codec: codecOf(e), MTU: w.ways.medium.MTU, Heartbeat: w.far.Heartbeat, Liveness: w.far.Liveness, Socket: w.ways.medium.Socket, Traced: w.ways.station.Traced,
		Events: o.event, Carried: e.Carried}
	if e.Agreed {
		so.Secret = nobodys()
	}
	if so.Secret != nil {
		so.Suite = e.Suite
	}
	if o.Sender, err = NewSender(so); err != nil {
		return closed(err, line.Medium)
	}
	w.outlets[e.Channel] = o
	return nil
}

// closed closes what nobody has, after err.
func closed(err error, m netio.Medium) error {
	if m != nil {
		err = errors.Join(err, m.Close())
	}
	return err
}

// placeOf names a node's place in the rings that go to it.
func placeOf(node string) string {
	name := "to " + node
	return name[:min(len(name), maxName)]
}

// leave takes the way out of its inlets, and returns those that nobody needs any more.
func (w *way) leave() (gone []*inlet) {
	for _, in := range w.takes {
		if in.leave(w.far) {
			delete(w.ways.inlets, in.exchange.Channel)
			gone = append(gone, in)
		}
	}
	w.takes = nil
	return gone
}

// close closes ends that are not run any more.
func (w *way) close(gone []*inlet) error {
	var faults []error
	for _, o := range w.outlets {
		faults = append(faults, o.Sender.Close())
	}
	for _, in := range gone {
		faults = append(faults, in.Receiver.Close())
	}
	return errors.Join(faults...)
}

// shut is both, where no loop is.
func (w *way) shut() error { return w.close(w.leave()) }

// event hands on what became of the receivers.
func (o *outlet) event(e Event) {
	if e.Kind == Connected || e.Kind == Disconnected { // once for all its rings
		up := e.Kind == Connected || o.heardAny()
		if up == o.up {
			return
		}
		o.up = up
	}
	o.ways.tell(netio.Note{Node: o.far.Node, Stripe: o.far.Stripe, Channel: o.channel, What: e.Kind.String(), Err: e.Err, First: e.First, Last: e.Last})
}

func (s *Sender) heardAny() bool {
	for _, f := range s.feeds {
		if len(f.receivers) > 0 {
			return true
		}
	}
	return false
}

func (w *way) outlet(channel string) (*outlet, error) {
	if o := w.outlets[channel]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("udp: node %q: channel %q is not sent to it", w.far.Node, channel)
}

// Add has the channel's sender carry a ring.
func (w *way) Add(channel string, r *ring.Ring) error {
	o, err := w.outlet(channel)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mute {
		if o.standing.rings.Load() == 0 {
			o.since, o.heard = time.Now(), false
		}
		if err := o.Sender.Add(r); err != nil {
			return err
		}
	}
	o.rings = append(o.rings, r)
	return nil
}

// Remove has it carry the ring no more.
func (w *way) Remove(channel string, r *ring.Ring) (bool, error) {
	o, err := w.outlet(channel)
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	o.rings = slices.DeleteFunc(o.rings, func(one *ring.Ring) bool { return one == r })
	o.mu.Unlock()
	done, err := o.Sender.Remove(r)
	if done || err != nil || !o.failed.Load() {
		return done, err
	}
	w.ways.crew.Between(o.abandon) // nobody runs it any more
	return o.Sender.Remove(r)
}

// abandon lets go of rings at once, and of what was under way.
func (o *outlet) abandon() {
	o.unsent = false
	o.adopt()
}

// Alive reports what a sender can know. While a repaired channel is carried: whether a receiver was heard within Liveness, and for that long
// after it began, that it may be. Otherwise nobody answers, and it is alive unless the network refuses; after it was found dead, not for a
// while, twice as long each time. Of a channel that is only taken: whether its receiver is well.
func (w *way) Alive(channel string) bool {
	o := w.outlets[channel]
	if o == nil {
		for _, in := range w.takes {
			if in.exchange.Channel == channel {
				return !in.failed.Load()
			}
		}
		return false
	}
	return o.alive(time.Now())
}

func (o *outlet) alive(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.failed.Load(), o.mute:
		return false
	case o.standing.rings.Load() == 0:
		return !now.Before(o.shunTill)
	case o.options.Reliability == BestEffort:
		if o.standing.sick.Load() {
			return o.dead(now)
		}
		return true
	case o.standing.heard.Load() > 0:
		if !o.heard {
			o.heard, o.shun = true, 0
		}
		return true
	case !o.heard && now.Sub(o.since) <= o.options.Liveness:
		return true
	}
	return o.dead(now)
}

// dead notes that nobody answers.
func (o *outlet) dead(now time.Time) bool {
	if now.After(o.shunTill) {
		o.shun = min(max(2*o.shun, shunFirst), shunMost)
	}
	o.shunTill = now.Add(o.shun)
	return false
}

// Lag is how much of a channel is not confirmed.
func (w *way) Lag(channel string) uint64 {
	if o := w.outlets[channel]; o != nil {
		return o.standing.lag.Load()
	}
	return 0
}
