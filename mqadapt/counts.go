package mqadapt

import (
	"sync"

	"github.com/alphapulse/transport/netio"
)

// Tell tells what the stats say as counts of a channel. What is refused for good is among what was rejected.
func (s ShipperStats) Tell(channel string, tell func(netio.Count)) {
	for _, c := range []netio.Count{
		{What: netio.CountEnvelopes, Direction: netio.Out, Value: s.Envelopes},
		{What: netio.CountFrames, Direction: netio.Out, Value: s.Frames},
		{What: netio.CountUnknown, Direction: netio.Out, Value: s.Unknown},
		{What: netio.CountLost, Direction: netio.Out, Value: s.Lost},
		{What: netio.CountRefused, Direction: netio.Out, Reason: "rejected", Value: s.Rejected},
		{What: netio.CountRefused, Direction: netio.Out, Reason: "refused", Value: s.Refused},
	} {
		c.Channel = channel
		netio.Tell(tell, c)
	}
}

// Tell tells what the stats say as counts of a channel.
func (s TakerStats) Tell(channel string, tell func(netio.Count)) {
	for _, c := range []netio.Count{
		{What: netio.CountEnvelopes, Direction: netio.In, Value: s.Envelopes},
		{What: netio.CountFrames, Direction: netio.In, Value: s.Frames},
		{What: netio.CountLost, Direction: netio.In, Value: s.Lost},
		{What: netio.CountDropped, Direction: netio.In, Reason: "duplicate", Value: s.Repeated},
		{What: netio.CountRefused, Direction: netio.In, Reason: "malformed", Value: s.Malformed},
		{What: netio.CountRefused, Direction: netio.In, Reason: "foreign", Value: s.Foreign},
		{What: netio.CountRefused, Direction: netio.In, Reason: "undecodable", Value: s.Undecodable},
		{What: netio.CountRefused, Direction: netio.In, Reason: "old_epoch", Value: s.OldEpoch},
		{What: netio.CountRefused, Direction: netio.In, Reason: "too_large", Value: s.TooLarge},
	} {
		c.Channel = channel
		netio.Tell(tell, c)
	}
}

func (s ShipperStats) plus(o ShipperStats) ShipperStats {
	return ShipperStats{s.Envelopes + o.Envelopes, s.Frames + o.Frames, s.Unknown + o.Unknown, s.Rejected + o.Rejected, s.Refused + o.Refused, s.Lost + o.Lost}
}

func (s TakerStats) plus(o TakerStats) TakerStats {
	return TakerStats{s.Envelopes + o.Envelopes, s.Frames + o.Frames, s.Repeated + o.Repeated, s.Lost + o.Lost, s.Malformed + o.Malformed,
		s.Foreign + o.Foreign, s.Undecodable + o.Undecodable, s.OldEpoch + o.OldEpoch, s.TooLarge + o.TooLarge, s.Full + o.Full}
}

// summed is counts that lives adds up.
type summed[S any] interface{ plus(S) S }

var (
	_ summed[ShipperStats] = ShipperStats{}
	_ summed[TakerStats]   = TakerStats{}
)

// lives adds up what one worker after the other has done.
type lives[S summed[S]] struct {
	mu   sync.Mutex
	past S
	now  func() S // nil: there is no worker
}

// begin has a worker's stats count, too. What it returns ends that, and keeps what they were.
func (l *lives[S]) begin(stats func() S) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = stats
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.past, l.now = l.past.plus(stats()), nil
	}
}

func (l *lives[S]) all() S {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return l.past
	}
	return l.past.plus(l.now())
}

var (
	_ netio.Counted = (*shipping)(nil)
	_ netio.Timed   = (*shipping)(nil)
	_ netio.Counted = (*user)(nil)
	_ netio.Timed   = (*user)(nil)
)

// Counts tells what the way's shippers have done.
func (w *shipping) Counts(tell func(netio.Count)) { w.lives.all().Tell(w.line.Channel, tell) }

// Time records ages of what is put.
func (w *shipping) Time(carried, _ *netio.Spread) { w.carried.set(carried) }

// Counts tells what the queue's takers have done, where several lines share them for the first of those.
func (u *user) Counts(tell func(netio.Count)) {
	u.hub.mu.Lock()
	t := u.hub.taking[u.key]
	first := t != nil && t.users[0] == u
	u.hub.mu.Unlock()
	if first {
		t.lives.all().Tell(t.line.Channel, tell)
	}
}

// Time records ages of what is taken, where several lines share that for the first of those that want to know.
func (u *user) Time(_, received *netio.Spread) {
	u.hub.mu.Lock()
	defer u.hub.mu.Unlock()
	u.received = received
	if t := u.hub.taking[u.key]; t != nil {
		t.time()
	}
}

// time has takers record where the first user that wants to know says. The hub's lock is held.
func (t *taking) time() {
	for _, u := range t.users {
		if u.received != nil {
			t.received.set(u.received)
			return
		}
	}
	t.received.set(nil)
}
