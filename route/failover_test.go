package route

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fakeRing is a publisher's ring with one reader slot, and the subscriber at the far end.
type fakeRing struct {
	published, confirmed int // records
	holder               *fakeLink
	next                 int // what the subscriber waits for
	repeats              int
	faults               []string
}

func (r *fakeRing) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// fakeLink carries a fakeRing while it is up. Its verdict comes liveness later than the truth, as by heartbeats.
type fakeLink struct {
	name      string
	r         *fakeRing
	up        bool
	changed   time.Duration // when up did
	liveness  time.Duration
	slow      int // calls of Add or Remove that answer "not yet"
	calls     int
	err       error
	adding    bool
	at        int
	delivered []int // arrived, not confirmed yet
}

func (l *fakeLink) set(up bool, now time.Duration) {
	if l.up != up {
		l.up, l.changed = up, now
	}
}

func (l *fakeLink) Alive(now time.Duration) bool {
	return l.up || now-l.changed < l.liveness
}

func (l *fakeLink) Lag() uint64 { return uint64(l.r.published - l.r.confirmed) }

func (l *fakeLink) Add() (bool, error) {
	has := l.r.holder == l
	if has && !l.adding {
		l.r.fault("%s is given what it has", l.name)
	}
	if l.err != nil && !has {
		l.adding = false
		return false, l.err
	}
	l.adding = true
	if l.calls++; l.calls <= l.slow {
		return false, nil
	}
	if !has {
		l.take()
	}
	l.adding = false
	return true, nil
}

// take is the link's own worker getting to the slots, which it may do after the caller has gone away.
func (l *fakeLink) take() {
	l.calls = 0
	if l.r.holder != nil {
		l.r.fault("%s takes what %s holds", l.name, l.r.holder.name)
	}
	l.r.holder, l.at, l.delivered = l, l.r.confirmed, nil
}

func (l *fakeLink) Remove() (bool, error) {
	if l.r.holder != l && !l.adding {
		l.r.fault("%s gives back what it has not got", l.name)
	}
	if l.calls++; l.calls <= l.slow {
		return false, nil
	}
	l.calls, l.adding = 0, false
	if l.r.holder == l {
		l.r.holder = nil
	}
	return true, nil
}

// carry sends up to n records and hears of up to n confirmations.
func (l *fakeLink) carry(send, confirm int) {
	if l.r.holder != l || !l.up {
		return
	}
	for ; send > 0 && l.at < l.r.published; send-- {
		switch {
		case l.at < l.r.next:
			l.r.repeats++
		case l.at > l.r.next:
			l.r.fault("%s brings %d, and %d is missing", l.name, l.at, l.r.next)
		default:
			l.r.next++
		}
		l.delivered = append(l.delivered, l.at)
		l.at++
	}
	n := min(confirm, len(l.delivered))
	if n > 0 {
		l.r.confirmed = l.delivered[n-1] + 1
		l.delivered = l.delivered[n:]
	}
}

// bed is a channel with links, driven in steps of a fake clock.
type bed struct {
	t     rapid.TB
	r     *fakeRing
	links []*fakeLink
	f     *Failover
	now   time.Duration
	said  []Switch
}

const tick = 10 * time.Millisecond

func newFailoverBed(t rapid.TB, links int, o FailoverOptions) *bed {
	t.Helper()
	b := &bed{t: t, r: &fakeRing{}}
	var all []Link
	for i := range links {
		l := &fakeLink{name: fmt.Sprintf("link %d", i), r: b.r, up: true, liveness: 300 * time.Millisecond}
		b.links = append(b.links, l)
		all = append(all, l)
	}
	o.Events = func(s Switch) { b.said = append(b.said, s) }
	f, err := NewFailover(all, o)
	if err != nil {
		t.Fatal(err)
	}
	b.f = f
	return b
}

// run lets time pass; at each step one record is published and the links carry.
func (b *bed) run(d time.Duration, each ...func()) {
	b.t.Helper()
	for end := b.now + d; b.now < end; b.now += tick {
		for _, f := range each {
			f()
		}
		b.r.published++
		b.f.Do(b.now)
		for _, l := range b.links {
			l.carry(4, 2)
		}
	}
	for _, fault := range b.r.faults {
		b.t.Error(fault)
	}
}

func (b *bed) wantActive(i int) {
	b.t.Helper()
	if s := b.f.Stats(); s.Active != i || b.r.holder != b.links[i] {
		b.t.Fatalf("at %s: %+v, history %v", b.now, s, b.f.History())
	}
}

func (b *bed) flip(i int, up bool) { b.links[i].set(up, b.now) }

// best is the first link that is up: where the channel comes to rest.
func (b *bed) best() int { return slices.IndexFunc(b.links, func(l *fakeLink) bool { return l.up }) }

func (b *bed) wantAllDelivered() {
	b.t.Helper()
	for end := b.now + 200*time.Second; b.now < end && (b.r.next < b.r.published || b.r.confirmed < b.r.published-10 || b.f.Stats().Active != b.best()); {
		b.run(time.Second)
	}
	if b.r.next != b.r.published || b.r.confirmed < b.r.published-10 {
		b.t.Errorf("%d published, %d delivered, %d confirmed", b.r.published, b.r.next, b.r.confirmed)
	}
}

func TestFailoverAtTheConfirmedCursorAndBack(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	b.run(3 * time.Second)
	b.wantActive(0)
	b.flip(0, false)
	b.run(290 * time.Millisecond)
	b.wantActive(0) // the link itself still believes
	b.run(20 * time.Millisecond)
	b.wantActive(1)
	b.run(3 * time.Second)
	b.flip(0, true)
	b.run(5 * time.Second)
	b.wantActive(1) // not yet
	b.run(2 * tick)
	b.wantActive(0)
	b.wantAllDelivered()
	s := b.f.Stats()
	if s.Failovers != 1 || s.Failbacks != 1 || s.Strandeds != 0 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	if h := b.f.History(); len(h) != 3 || h[0].Cause != CauseStart || h[1].Cause != CauseFailover || h[2].Cause != CauseFailback || !slices.Equal(h, b.said) {
		t.Errorf("history %+v, said %+v", h, b.said)
	}
}

func TestFailoverIsAsFastAsTheHandOver(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	for _, l := range b.links {
		l.slow = 3
	}
	b.run(2 * time.Second)
	b.flip(0, false)
	b.run(time.Second)
	if h := b.f.History(); len(h) != 2 || h[1].Dead != 6*tick || h[1].Took != 6*tick {
		t.Errorf("%+v", h)
	}
}

func TestFlappingSwitchesAtMostTwice(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	for _, l := range b.links {
		l.liveness = 0 // believes everything at once
	}
	b.run(2 * time.Second)
	for range 50 {
		b.flip(0, false)
		b.run(100 * time.Millisecond)
		b.flip(0, true)
		b.run(100 * time.Millisecond)
	}
	b.wantActive(1)
	if s := b.f.Stats(); s.Failovers != 1 || s.Failbacks != 0 {
		t.Errorf("while it flaps: %+v", s)
	}
	b.wantAllDelivered()
	b.wantActive(0)
	if s := b.f.Stats(); s.Failovers != 1 || s.Failbacks != 1 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestLinksThatFlapInTurnSwitchOnceASecond(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	for _, l := range b.links {
		l.liveness = 0
	}
	b.run(2 * time.Second)
	for i := range 100 {
		b.flip(i%2, false)
		b.flip(1-i%2, true)
		b.run(100 * time.Millisecond)
	}
	b.wantSlowSwitches(time.Second)
	if s := b.f.Stats(); s.Failovers < 5 || s.Failovers > 11 || s.Held == 0 {
		t.Errorf("%+v", s)
	}
	b.flip(0, true)
	b.flip(1, true)
	b.wantAllDelivered()
}

func (b *bed) wantSlowSwitches(gap time.Duration) {
	b.t.Helper()
	h := b.f.History()
	for i := 1; i < len(h); i++ {
		if d := h[i].At - h[i-1].At; d < gap {
			b.t.Errorf("%s between %+v and %+v", d, h[i-1], h[i])
		}
	}
}

func TestALinkThatDoesNotKeepWhatItGotBackWaitsLonger(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{HoldDown: 2 * time.Second, MostHold: 8 * time.Second})
	b.run(2 * time.Second)
	var waits []time.Duration
	for range 5 {
		b.flip(0, false)
		b.run(time.Second)
		b.wantActive(1)
		b.flip(0, true)
		began := b.now
		for b.f.Stats().Active != 0 {
			b.run(tick)
		}
		waits = append(waits, (b.now - began).Truncate(time.Second))
		b.run(time.Second)
	}
	if want := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second, 8 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("it waited %v, not %v", waits, want)
	}
	b.run(10 * time.Second) // well for longer than the hold-down: forgiven
	b.flip(0, false)
	b.run(time.Second)
	b.flip(0, true)
	b.run(2*time.Second + 2*tick)
	b.wantActive(0)
}

func TestFailbackWaitsForTheBacklog(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{LagBelow: 20})
	b.run(2 * time.Second)
	b.flip(0, false)
	b.run(2 * time.Second)
	b.flip(0, true)
	b.run(10*time.Second, func() {
		b.r.published += 3 // more than is confirmed
	})
	b.wantActive(1)
	b.wantAllDelivered()
	b.wantActive(0)
}

func TestWithoutALivingLinkTheChannelStays(t *testing.T) {
	b := newFailoverBed(t, 3, FailoverOptions{})
	b.run(2 * time.Second)
	for i := range b.links {
		b.flip(i, false)
	}
	b.run(10 * time.Second)
	b.wantActive(0)
	if s := b.f.Stats(); !s.Stranded || s.Strandeds != 1 || s.Failovers != 0 {
		t.Errorf("%+v", s)
	}
	b.flip(2, true)
	b.run(2 * tick)
	b.wantActive(2)
	b.flip(0, true)
	b.wantAllDelivered()
	if s := b.f.Stats(); s.Stranded {
		t.Errorf("%+v", s)
	}
}

func TestTheFirstLinkHasTheRingsBeforeItLives(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	for i := range b.links {
		b.links[i].liveness = 0
		b.flip(i, false)
	}
	b.run(tick)
	b.wantActive(0) // nothing that is published now is lost
	b.flip(1, true)
	b.run(500 * time.Millisecond)
	b.wantActive(0) // links that are dialled come up one after the other
	b.flip(0, true)
	b.run(5 * time.Second)
	b.wantActive(0)
	b.wantAllDelivered()
}

func TestALinkThatRefusesIsPassedBy(t *testing.T) {
	b := newFailoverBed(t, 3, FailoverOptions{})
	b.run(2 * time.Second)
	b.links[1].err = errors.New("no room")
	b.flip(0, false)
	b.run(400 * time.Millisecond)
	b.wantActive(2)
	if s := b.f.Stats(); s.Refused != 1 || s.Err != b.links[1].err {
		t.Errorf("%+v", s)
	}
	b.wantAllDelivered()
}

func TestAllLinksRefuseAndOneRelents(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	b.links[0].err, b.links[1].err = errDown, errDown
	b.run(2 * time.Second)
	if s := b.f.Stats(); s.Active != nobody || s.Refused < 2 || s.Refused > 4 {
		t.Errorf("asked once a second each: %+v", s)
	}
	b.links[1].err = nil
	b.run(1100 * time.Millisecond)
	b.wantActive(1)
	b.wantAllDelivered()
}

func TestALinkThatDiesBeforeItAnswersGivesBackFirst(t *testing.T) {
	b := newFailoverBed(t, 3, FailoverOptions{HandOver: 500 * time.Millisecond})
	b.run(2 * time.Second)
	b.links[1].slow = 1 << 30 // its worker is stuck
	b.flip(0, false)
	b.run(500 * time.Millisecond)
	b.flip(1, false)
	b.run(900 * time.Millisecond)
	if s := b.f.Stats(); s.Active != 1 || s.Target != 2 {
		t.Fatalf("%+v", s)
	}
	b.links[1].take() // it gets to the slots at last
	b.links[1].slow = 0
	b.run(2 * tick)
	b.wantActive(2)
	if s := b.f.Stats(); s.Stuck != 1 || !slices.ContainsFunc(b.said, func(s Switch) bool { return s.Cause == CauseStuck && s.To == 1 }) {
		t.Errorf("%+v, said %+v", s, b.said)
	}
	b.wantAllDelivered()
}

func TestStopTakesTheChannelBack(t *testing.T) {
	for _, slow := range []int{0, 3} {
		b := newFailoverBed(t, 2, FailoverOptions{})
		b.links[0].slow = slow
		b.run(tick)
		for range 2*slow + 1 {
			if b.f.Stop() {
				break
			}
		}
		if !b.f.Stop() || b.r.holder != nil {
			t.Fatalf("slow %d: %+v still has it", slow, b.r.holder)
		}
		b.run(time.Second)
		if b.r.holder != nil {
			t.Errorf("%s has it after Stop", b.r.holder.name)
		}
	}
}

func TestFailoverRefusesAllBadOptionsAtOnce(t *testing.T) {
	if _, err := NewFailover(nil, FailoverOptions{Gap: -1}); err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 2 {
		t.Error(err)
	}
	if _, err := NewFailover(make([]Link, 9), FailoverOptions{}); err == nil {
		t.Error("nine links")
	}
	if _, err := NewFailover(make([]Link, 1), FailoverOptions{HoldDown: 2, MostHold: 1}); err == nil {
		t.Error("a hold-down above its bound")
	}
}

// TestFailoverLosesNothingInAnyStorm: links go up and down, are slow and refuse; nothing is lost or passed over, one link holds the
// rings at a time, and switches keep their distance.
func TestFailoverLosesNothingInAnyStorm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newFailoverBed(rt, rapid.IntRange(1, 4).Draw(rt, "links"), FailoverOptions{HoldDown: 2 * time.Second})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			l := b.links[rapid.IntRange(0, len(b.links)-1).Draw(rt, "link")]
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0, 1:
				l.set(!l.up, b.now)
			case 2:
				l.slow = rapid.SampledFrom([]int{0, 1, 20, 200}).Draw(rt, "slow")
			case 3:
				l.err = nil
				if rapid.Bool().Draw(rt, "refuses") {
					l.err = errDown
				}
			case 4:
				if l.adding && l.r.holder == nil {
					l.take() // the answer is still to be asked for
				}
			}
			b.run(time.Duration(rapid.IntRange(1, 200).Draw(rt, "ticks")) * tick)
		}
		b.wantSlowSwitches(time.Second)
		for _, l := range b.links {
			l.set(true, b.now)
			l.slow, l.err = 0, nil
		}
		b.wantAllDelivered()
		b.wantActive(0)
	})
}

func TestFailoverDoesNotAllocate(t *testing.T) {
	b := newFailoverBed(t, 2, FailoverOptions{})
	b.run(time.Second)
	if n := testing.AllocsPerRun(100, func() {
		b.now += tick
		b.f.Do(b.now)
		b.f.Stats()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleFailover() {
	direct, queue := &exampleLink{"direct", true}, &exampleLink{"queue", true}
	f, err := NewFailover([]Link{direct, queue}, FailoverOptions{Events: func(s Switch) {
		fmt.Println(s.At, s.Cause, "to link", s.To)
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for now := time.Duration(0); now < 20*time.Second; now += 100 * time.Millisecond {
		direct.alive = now < 3*time.Second || now > 6*time.Second
		f.Do(now)
	}
	// Output:
	// 0s start to link 0
	// 3s failover to link 1
	// 11.1s failback to link 0
}

type exampleLink struct {
	name  string
	alive bool
}

func (l *exampleLink) Add() (bool, error)       { return true, nil }
func (l *exampleLink) Remove() (bool, error)    { return true, nil }
func (l *exampleLink) Alive(time.Duration) bool { return l.alive }
func (l *exampleLink) Lag() uint64              { return 0 }
