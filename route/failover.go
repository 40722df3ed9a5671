package route

import (
	"errors"
	"fmt"
	"time"
)

const (
	maxLinks        = 8
	failoverHistory = 32
	nobody          = -1
)

// Link is one way of one channel, as a Failover needs it. None of the calls blocks. Whoever holds the channel's reader slots reads
// the publishers' rings from there, so at most one link of a channel holds them.
type Link interface {
	// Add gives the link the channel's reader slots: it goes on at the oldest record that is not confirmed. It is called on a dead
	// link too, which then carries once it lives. false without an error: not yet, ask again.
	Add() (done bool, err error)

	// Remove takes the slots back, with nothing released that is not confirmed. It works on a dead link, and undoes an Add that is not
	// done yet. false without an error: not yet, ask again.
	Remove() (done bool, err error)

	// Alive is the link's own verdict, by its heartbeats.
	Alive(now time.Duration) bool

	// Lag is how many committed bytes are not confirmed.
	Lag() uint64
}

// FailoverOptions bound how often a channel changes links. Zero means the default.
type FailoverOptions struct {
	// HoldDown is how long a better link must have been alive without a break before the channel goes back to it; 0 is 5 s. If it
	// dies again within that time after it got the channel back, the time doubles, up to MostHold; 0 is 12 times HoldDown.
	HoldDown, MostHold time.Duration

	Gap      time.Duration // least time from one switch to the next; 0 is 1 s
	HandOver time.Duration // a hand-over that takes longer counts as stuck; 0 is 1 s

	// LagBelow: a channel goes back only while less than this is unconfirmed on the link it leaves; 0 does not ask.
	LagBelow uint64

	// Events, if set, is told of each switch and of each hand-over that is stuck. It runs inside Do and must not block.
	Events func(Switch)
}

func (o FailoverOptions) checked(links int) (FailoverOptions, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("route: failover: "+format, args...))
		}
	}
	fault(links < 1 || links > maxLinks, "%d links: want 1 to %d", links, maxLinks)
	fault(o.HoldDown < 0 || o.MostHold < 0 || o.Gap < 0 || o.HandOver < 0, "a time is negative")
	o.HoldDown = orDefault(o.HoldDown, 5*time.Second)
	o.MostHold = orDefault(o.MostHold, 12*o.HoldDown)
	o.Gap = orDefault(o.Gap, time.Second)
	o.HandOver = orDefault(o.HandOver, time.Second)
	fault(len(faults) == 0 && o.MostHold < o.HoldDown, "a hold-down of %s at most and %s at least", o.MostHold, o.HoldDown)
	return o, errors.Join(faults...)
}

// Cause says why a channel changes links.
type Cause uint8

// The causes.
const (
	CauseStart    Cause = iota // the first link, or the one after Add was refused
	CauseFailover              // the link died
	CauseFailback              // a better link has been well for long enough
	CauseStuck                 // no switch yet: a hand-over has taken longer than HandOver
)

// String is "start", "failover", "failback" or "stuck".
func (c Cause) String() string {
	return [...]string{"start", "failover", "failback", "stuck"}[min(c, CauseStuck)]
}

// Switch is one change of links. Links are numbers in the order of preference; -1 is none.
type Switch struct {
	At       time.Duration // when the new link had the channel
	From, To int
	Cause    Cause
	Dead     time.Duration // since when the old link was seen dead, as a distance from At; 0 unless it was
	Took     time.Duration // the hand-over alone
}

// FailoverStats is where a channel is and how it got there.
type FailoverStats struct {
	Active    int  // who has the channel; -1 while it is handed over
	Target    int  // who gets it; Active unless it is being handed over
	Stranded  bool // the active link is dead, and no other is alive
	Failovers uint64
	Failbacks uint64
	Held      uint64 // times a switch had to wait for Gap
	Strandeds uint64 // times it was stranded
	Stuck     uint64 // hand-overs that took longer than HandOver
	Refused   uint64 // errors of Add and Remove
	Err       error  // the latest of them
}

// way is what a Failover knows of one link.
type way struct {
	Link
	alive   bool
	since   time.Duration // alive: since when
	hold    time.Duration // how long it must be well to get the channel back
	back    time.Duration // when it got it back
	wasBack bool
	shunned time.Duration // Add failed: not before this instant again
}

// Failover keeps a channel on the best of its links. A link that died loses it at once to the best that lives; a better link gets it
// back once it has been well for a while. Remove here comes before Add there, so nothing is carried twice at a time and nothing
// unconfirmed is released in between; what was under way when a link died travels again, and the subscribers' sequence
// numbers drop the repeats. One goroutine at a time.
//
//	steady ── dead, or a better one is well ──► leaving ── Remove ──► joining ── Add ──► steady
//
// Between two switches lies Gap, so a link that flaps costs a bounded number of them. While no link is alive the channel stays
// where it is: its rings hold what comes.
type Failover struct {
	o       FailoverOptions
	ways    []way
	now     time.Duration
	at, to  int
	started bool
	stopped bool

	begun   time.Duration // of the hand-over under way, or asked for
	dead    time.Duration // when the active link was first seen dead
	isDead  bool
	from    int
	cause   Cause
	last    time.Duration // when the last hand-over ended
	asked   bool          // the target has been asked to take the channel and has not answered
	held    bool          // the switch that waits for Gap is counted
	stuck   bool          // this hand-over is counted
	stats   FailoverStats
	history [failoverHistory]Switch
	total   uint64
}

// NewFailover gives a channel its links, the best first. None has the channel yet: the first Do starts it.
func NewFailover(links []Link, o FailoverOptions) (*Failover, error) {
	o, err := o.checked(len(links))
	if err != nil {
		return nil, err
	}
	f := &Failover{o: o, at: nobody, to: nobody, from: nobody}
	for _, l := range links {
		f.ways = append(f.ways, way{Link: l, hold: o.HoldDown})
	}
	return f, nil
}

// Do looks at the links once and makes the next step of a hand-over, if there is one. n is how many steps it made. It is called at
// least every few milliseconds: what passes between two calls adds to the time of a failover.
func (f *Failover) Do(now time.Duration) (n int) {
	f.now = max(f.now, now)
	if !f.started {
		f.started, f.begun = true, f.now
	}
	f.look()
	if f.stopped {
		return 0
	}
	if f.at != nobody && f.at == f.to {
		if !f.decide() {
			return 0
		}
		n++
	}
	if f.at != nobody { // leaving
		if !f.step(f.ways[f.at].Remove()) {
			return n
		}
		f.at = nobody
		n++
	}
	return n + f.join()
}

// Stop takes the channel from the link that has it, for whoever carries it next. It is asked again until it is done; from the first
// call on Do changes nothing.
func (f *Failover) Stop() (done bool) {
	f.stopped = true
	if f.asked {
		f.at, f.asked = f.to, false
	}
	if f.at != nobody && f.step(f.ways[f.at].Remove()) {
		f.at = nobody
	}
	f.to = f.at
	return f.at == nobody
}

// Stats is where the channel is now.
func (f *Failover) Stats() FailoverStats {
	s := f.stats
	s.Active, s.Target = f.at, f.to
	return s
}

// History is the latest switches, at most 32, oldest first.
func (f *Failover) History() []Switch {
	var all []Switch
	for i := f.total - min(f.total, failoverHistory); i < f.total; i++ {
		all = append(all, f.history[i%failoverHistory])
	}
	return all
}

// look asks each link how it is.
func (f *Failover) look() {
	for i := range f.ways {
		w := &f.ways[i]
		alive := w.Alive(f.now)
		if alive && !w.alive {
			w.since = f.now
		}
		if w.alive && !alive {
			f.died(w)
		}
		w.alive = alive
	}
	switch dead := f.at != nobody && !f.ways[f.at].alive; {
	case dead && !f.isDead:
		f.dead, f.isDead = f.now, true
	case !dead && f.at != nobody:
		f.isDead = false
	}
}

// died remembers a link that did not keep what it got back: it waits twice as long next time.
func (f *Failover) died(w *way) {
	if !w.wasBack {
		return
	}
	if f.now-w.back < w.hold {
		w.hold = min(2*w.hold, f.o.MostHold)
	} else {
		w.hold = f.o.HoldDown
	}
	w.wasBack = false
}

// decide starts a hand-over if there is a reason, a place to go to, and Gap is over.
func (f *Failover) decide() bool {
	to, cause := f.better(), CauseFailback
	if f.isDead {
		to, cause = f.best(), CauseFailover
		stranded := to == nobody || to == f.at
		if stranded && !f.stats.Stranded {
			f.stats.Strandeds++
		}
		f.stats.Stranded = stranded
	} else {
		f.stats.Stranded = false
	}
	if to == nobody || to == f.at {
		f.held = false
		return false
	}
	if f.now-f.last < f.o.Gap {
		if !f.held {
			f.stats.Held++
		}
		f.held = true
		return false
	}
	f.from, f.to, f.cause, f.begun, f.held, f.stuck = f.at, to, cause, f.now, false, false
	return true
}

// better is a link above the active one that has been well for its hold-down.
func (f *Failover) better() int {
	if f.o.LagBelow > 0 && f.ways[f.at].Lag() >= f.o.LagBelow {
		return nobody
	}
	for i := range f.at {
		if f.well(i) && f.now-f.ways[i].since >= f.ways[i].hold {
			return i
		}
	}
	return nobody
}

// best is who gets the channel of a dead link: one that has been well for its hold-down before one that has just come.
func (f *Failover) best() int {
	first := nobody
	for i := range f.ways {
		if !f.well(i) {
			continue
		}
		if f.now-f.ways[i].since >= f.ways[i].hold {
			return i
		}
		if first == nobody {
			first = i
		}
	}
	return first
}

func (f *Failover) well(i int) bool { return f.ways[i].alive && f.now >= f.ways[i].shunned }

// join gives the channel, which nobody has, to its target, or to another one if the target is not well.
func (f *Failover) join() (n int) {
	if f.asked {
		if f.changeMind() {
			return 1
		}
	} else if !f.retarget() {
		return 0 // each refused it a moment ago
	}
	w := &f.ways[f.to]
	done, err := w.Add()
	f.asked = !done && err == nil
	if err != nil {
		w.shunned = f.now + f.o.Gap
	}
	if !f.step(done, err) {
		return 0
	}
	f.settle()
	return 1
}

// retarget looks for somebody else if the target is not well: the best that is, or else anyone that has not just refused. A dead
// link will do: it keeps the channel's place in its rings.
func (f *Failover) retarget() bool {
	if f.to != nobody && f.well(f.to) {
		return true
	}
	was := f.to
	if best := f.best(); best != nobody {
		f.to = best
	} else if f.to == nobody || f.now < f.ways[f.to].shunned {
		f.to = f.unshunned()
	}
	if f.to != was && f.cause == CauseFailback {
		f.cause = CauseFailover
	}
	return f.to != nobody
}

// changeMind leaves a link that has been asked to take the channel, has not yet, and died: it may still take it, so Remove comes
// first. Between two changes lies Gap.
func (f *Failover) changeMind() bool {
	best := f.best()
	if f.well(f.to) || best == nobody || f.now-f.begun < f.o.Gap {
		return false
	}
	f.at, f.to, f.begun, f.cause, f.asked, f.stuck = f.to, best, f.now, CauseFailover, false, false
	return true
}

// unshunned is the first link that may be asked, alive or not.
func (f *Failover) unshunned() int {
	for i := range f.ways {
		if f.now >= f.ways[i].shunned {
			return i
		}
	}
	return nobody
}

// settle records that the target has the channel.
func (f *Failover) settle() {
	s := Switch{At: f.now, From: f.from, To: f.to, Cause: f.cause, Took: f.now - f.begun}
	if f.isDead && f.cause == CauseFailover {
		s.Dead = f.now - f.dead
	}
	switch f.cause {
	case CauseFailover:
		f.stats.Failovers++
	case CauseFailback:
		f.stats.Failbacks++
		f.ways[f.to].back, f.ways[f.to].wasBack = f.now, true
	}
	f.at, f.last, f.isDead, f.stats.Stranded = f.to, f.now, false, false
	f.history[f.total%failoverHistory] = s
	f.total++
	if f.o.Events != nil {
		f.o.Events(s)
	}
}

// step takes the answer of Add or Remove and tells once of a hand-over that does not end.
func (f *Failover) step(done bool, err error) bool {
	if err != nil {
		f.stats.Refused++
		f.stats.Err = err
		done = false
	}
	if !done && !f.stuck && f.now-f.begun >= f.o.HandOver {
		f.stuck = true
		f.stats.Stuck++
		if f.o.Events != nil {
			f.o.Events(Switch{At: f.now, From: f.from, To: f.to, Cause: CauseStuck, Took: f.now - f.begun})
		}
	}
	return done
}
