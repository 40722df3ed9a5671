package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alphapulse/transport/seal"
)

// DefaultGather is how long renewals of a group's secret are gathered.
const DefaultGather = time.Second

// GroupOptions say which groups a node hands out secrets for. Channels is needed.
type GroupOptions struct {
	Channels []string // that this node sends to a multicast group

	// Turn is told to seal with a secret from now on, once every member can open it. It runs while the groups are locked: it must not
	// block, nor call them.
	Turn func(channel string, number uint64, secret seal.Secret)

	// Gather is the least time between two renewals of one group, so that members that come and go do not keep the others busy: so long
	// may one that left read on. 0 is DefaultGather, below 0 not at all.
	Gather time.Duration
}

// Groups draws the secrets of multicast groups and sees to it that members, and they alone, have them. Every Dial and Listen of a node is
// given the same. The zero Groups is not valid: use NewGroups.
type Groups struct {
	options GroupOptions
	mu      sync.Mutex
	groups  map[string]*group
	closed  bool
}

// group is one channel's. The order of things: the next secret is drawn, given to every member, confirmed by every member, used by the
// publisher, and said to be used. Who joins meanwhile is given the next one when it is used, so the number of those that must confirm only
// falls and a turn comes about however members come and go: each is gone at the latest when it was silent for its Liveness.
type group struct {
	channel string
	now     secret
	next    *secret // nil: no renewal is under way
	members map[*session]*member
	renewed time.Time   // when the last renewal began
	timer   *time.Timer // begins the next one; nil: none is due
}

type secret struct {
	number uint64
	bytes  [secretSize]byte
}

type member struct {
	given     uint64 // number of the last secret it was given; 0: none yet
	confirmed uint64 // and of the last it can open
	patience  *time.Timer
}

// GroupStats is how a group stands.
type GroupStats struct {
	Channel string
	Number  uint64 // of the secret that is used
	Members int
	Waiting int // members that have not confirmed the next one
}

// NewGroups draws the first secrets.
func NewGroups(o GroupOptions) (*Groups, error) {
	if o.Gather == 0 {
		o.Gather = DefaultGather
	}
	g := &Groups{options: o, groups: map[string]*group{}}
	for _, c := range o.Channels {
		if c == "" || len(c) > maxChannel || g.groups[c] != nil {
			return nil, fmt.Errorf("%w: groups: channel %q: a name of 1 to %d bytes, once", ErrOptions, c, maxChannel)
		}
		g.groups[c] = &group{channel: c, now: draw(1), members: map[*session]*member{}}
	}
	if len(g.groups) == 0 {
		return nil, fmt.Errorf("%w: groups: no channels", ErrOptions)
	}
	return g, nil
}

// Format keeps secrets out of what is printed, whatever the verb.
func (g *Groups) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "control groups %q", g.options.Channels) }

func draw(number uint64) secret {
	s := secret{number: number}
	_, _ = rand.Read(s.bytes[:]) // ends the program rather than fail, since Go 1.24
	return s
}

// Secret is what the publisher seals a channel with now, until Turn says otherwise.
func (g *Groups) Secret(channel string) (number uint64, s seal.Secret, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.groups[channel]
	if c == nil {
		return 0, s, fmt.Errorf("%w: channel %q is no group", ErrSecret, channel)
	}
	return c.now.number, seal.SecretOf(c.now.bytes), nil
}

// Renew turns a channel to a new secret as if a member had left.
func (g *Groups) Renew(channel string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.groups[channel]
	if c == nil {
		return fmt.Errorf("%w: channel %q is no group", ErrSecret, channel)
	}
	if g.closed {
		return errors.New("control: groups are closed")
	}
	g.due(c)
	return nil
}

// Stats returns how each group stands, in the order of GroupOptions.Channels.
func (g *Groups) Stats() (all []GroupStats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range g.options.Channels {
		c := g.groups[name]
		s := GroupStats{Channel: name, Number: c.now.number, Members: len(c.members)}
		for _, m := range c.members {
			if c.next != nil && m.given == c.next.number && m.confirmed < m.given {
				s.Waiting++
			}
		}
		all = append(all, s)
	}
	return all
}

// Close ends renewals. Close links before.
func (g *Groups) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, c := range g.groups {
		if c.timer != nil {
			c.timer.Stop()
		}
		for _, m := range c.members {
			m.patience.Stop()
		}
	}
	return nil
}

// join makes a peer a member of every group whose channel it takes.
func (g *Groups) join(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, c := range g.groups {
		mine, ok := s.mine.Contract(name)
		theirs, _ := s.peer.Contract(name)
		if !ok || !mine.Sends || !theirs.Takes || !s.agreed[name] {
			continue
		}
		m := &member{}
		m.patience = time.AfterFunc(s.o.Liveness, func() { g.lose(s, c, m) })
		m.patience.Stop()
		c.members[s] = m
		if c.next == nil {
			g.give(s, c, m, &c.now)
		}
	}
}

// give hands a secret to a member, which has Liveness to confirm it.
func (g *Groups) give(s *session, c *group, m *member, k *secret) {
	m.given = k.number
	s.send(message{kind: keyKind, number: k.number, secret: k.bytes, channel: c.channel})
	m.patience.Reset(s.o.Liveness)
}

// lose ends the connection of a member that lives and confirms nothing: it would hold the turn.
func (g *Groups) lose(s *session, c *group, m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed && c.members[s] == m && m.confirmed < m.given {
		s.end(ErrSlow)
	}
}

// leave takes a peer out. What it was given must go out of use, the next secret, too, if it has that one.
func (g *Groups) leave(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.groups {
		m := c.members[s]
		if m == nil {
			continue
		}
		m.patience.Stop()
		delete(c.members, s)
		switch {
		case g.closed:
		case c.next != nil && m.given == c.next.number:
			g.begin(c, c.next.number+1)
		case m.given != 0:
			g.due(c)
		}
	}
}

// due begins a renewal when the last one is long enough ago, at once or later. One that is under way is enough: whoever left before it
// began was not given it.
func (g *Groups) due(c *group) {
	if c.next != nil || c.timer != nil {
		return
	}
	wait := g.options.Gather - time.Since(c.renewed)
	if c.renewed.IsZero() || wait <= 0 {
		g.begin(c, c.now.number+1)
		return
	}
	c.timer = time.AfterFunc(wait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		c.timer = nil
		if !g.closed && c.next == nil {
			g.begin(c, c.now.number+1)
		}
	})
}

// begin draws the next secret and gives it to those that are members now. Of a renewal that is begun anew, those that still wait to be
// given any go on waiting.
func (g *Groups) begin(c *group, number uint64) {
	again := c.next
	next := draw(number)
	c.next, c.renewed = &next, time.Now()
	for s, m := range c.members {
		if again == nil || m.given == again.number {
			g.give(s, c, m, c.next)
		}
	}
	g.turn(c)
}

// took notes that a member can open a secret.
func (g *Groups) took(s *session, channel string, number uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.groups[channel]
	if c == nil || c.members[s] == nil {
		return
	}
	m := c.members[s]
	if number != m.given {
		return // of a renewal that was begun anew
	}
	m.confirmed = number
	m.patience.Stop()
	g.turn(c)
}

// turn uses the next secret once all that were given it can open it.
func (g *Groups) turn(c *group) {
	if c.next == nil || g.closed {
		return
	}
	for _, m := range c.members {
		if m.given == c.next.number && m.confirmed < m.given {
			return
		}
	}
	c.now, c.next = *c.next, nil
	if g.options.Turn != nil {
		g.options.Turn(c.channel, c.now.number, seal.SecretOf(c.now.bytes))
	}
	for s, m := range c.members {
		if m.given == c.now.number {
			s.send(message{kind: turnedKind, number: c.now.number, channel: c.channel})
		} else {
			g.give(s, c, m, &c.now)
		}
	}
}
