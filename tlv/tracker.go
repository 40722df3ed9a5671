package tlv

import "errors"

// Limits of a Tracker, from the original.
const (
	DefaultWindow = 1000   // how far back a late message is told from a repeated one
	DefaultMaxGap = 10_000 // missing messages beyond which a jump is not believed
	DefaultSplit  = 100    // missing messages from which on a snapshot is asked for
	maxRetries    = 3      // failed recoveries of one stream before it is given up
)

// ErrRecoveryFailed: a stream's recovery failed more often than the Tracker retries. Reconnect, then Forget the stream.
var ErrRecoveryFailed = errors.New("tlv: recovery failed")

// Phase is where a stream stands in its recovery.
type Phase uint8

// The phases: normal → gap detected → recovery requested → normal, or → snapshot loading → resynchronising → normal.
const (
	PhaseNormal Phase = iota
	PhaseGapDetected
	PhaseRecoveryRequested
	PhaseSnapshotLoading
	PhaseResynchronising
)

// String is the phase's snake_case name.
func (p Phase) String() string {
	names := [...]string{"normal", "gap_detected", "recovery_requested", "snapshot_loading", "resynchronising"}
	if int(p) < len(names) {
		return names[p]
	}
	return unnamed("phase", int(p))
}

// Arrival is how a sequence number relates to the ones before it.
type Arrival uint8

// The arrivals.
const (
	InOrder    Arrival = iota // the next one, or the first of the stream
	Gap                       // some are missing in front of it
	Late                      // one of the missing
	Duplicate                 // seen before
	TooOld                    // behind the window, or before the first one seen: late and repeated look alike
	TooFar                    // a jump beyond MaxGap: not believed, the position stays
	Unnumbered                // sequence 0: the builder's default, never counted
)

// String is the arrival's snake_case name.
func (a Arrival) String() string {
	names := [...]string{"in_order", "gap", "late", "duplicate", "too_old", "too_far", "unnumbered"}
	if int(a) < len(names) {
		return names[a]
	}
	return unnamed("arrival", int(a))
}

// Action is what the reader does with the message.
type Action uint8

// The actions.
const (
	Process Action = iota // deliver it
	Drop                  // count it and forget it
	Hold                  // keep it until the recovery is done
	Recover               // send Verdict.Request, then treat it like Hold
)

// String is the action's name.
func (a Action) String() string {
	names := [...]string{"process", "drop", "hold", "recover"}
	if int(a) < len(names) {
		return names[a]
	}
	return unnamed("action", int(a))
}

// Recovery is a request together with the stream it is about, which the request itself does not name.
type Recovery struct {
	Domain  Domain // goes into the request's header: the domain of the gap
	Source  Source // of the stream; the request travels back on its connection
	Request RecoveryRequest
}

// Verdict is a Tracker's answer to one message.
type Verdict struct {
	Arrival Arrival
	Action  Action
	Missing uint64   // for Gap and TooFar: how many are missing in front of this one
	Request Recovery // valid when Action is Recover
}

// Thresholds is the number of missing messages, per domain, from which on a snapshot is asked for instead of a
// retransmission. Zero is DefaultSplit; more than DefaultWindow is DefaultWindow, beyond which late messages are too old.
type Thresholds struct{ MarketData, Signal, Execution, System uint64 }

// OldestThresholds are those of the original's oldest consumers, which asked for a snapshot above 50, 100 and 10.
var OldestThresholds = Thresholds{MarketData: 51, Signal: 101, Execution: 11}

func (t *Thresholds) of(d Domain) uint64 {
	n := [...]uint64{0, t.MarketData, t.Signal, t.Execution, t.System}[d%5]
	if n == 0 {
		return DefaultSplit
	}
	return n
}

// Tracker follows the sequence numbers of every (source, domain) and says what to ask for when some are missing. It
// allocates once per stream it meets, at most 1024 times. The zero Tracker is ready; one goroutine uses it.
//
// A source that starts again from 1 looks like repeats: Forget the stream when its connection is new.
type Tracker struct {
	Consumer   uint32 // written into requests
	MaxGap     uint64 // 0 is DefaultMaxGap
	Thresholds Thresholds
	streams    [5][256]*sequence
}

// sequence is one stream's state. Bit n%1024 of seen is set when n, in (last-1024, last], has arrived.
type sequence struct {
	first, last uint64
	missing     uint64 // of the open gaps, not yet arrived
	seen        [16]uint64
	phase       Phase
	failures    uint8
}

// Observe takes the message's number into account.
func (t *Tracker) Observe(m Message) Verdict {
	return t.Sequence(m.Domain(), m.Source(), m.Sequence())
}

// Sequence is Observe for a number alone.
func (t *Tracker) Sequence(d Domain, src Source, n uint64) Verdict {
	if n == 0 {
		return Verdict{Arrival: Unnumbered}
	}
	s := t.streams[d%5][src]
	switch {
	case s == nil:
		s = &sequence{}
		t.streams[d%5][src] = s
		s.start(n)
		return Verdict{}
	case n <= s.last:
		return s.behind(n)
	case n == s.last+1:
		s.advance(n)
		return Verdict{Action: s.inOrder()}
	}
	return t.gap(s, d, src, n)
}

// gap answers n > s.last+1. Subtractions are safe: n is the larger.
func (t *Tracker) gap(s *sequence, d Domain, src Source, n uint64) Verdict {
	v := Verdict{Arrival: Gap, Action: Recover, Missing: n - s.last - 1}
	limit := t.MaxGap
	if limit == 0 {
		limit = DefaultMaxGap
	}
	asks := Retransmit
	if v.Missing >= min(t.Thresholds.of(d), DefaultWindow) {
		asks = FullState
	}
	if v.Missing > limit {
		v.Arrival, asks = TooFar, FullState
	}
	v.Request = t.request(d, src, s.last, n, asks)
	if s.phase == PhaseSnapshotLoading {
		v.Action = Hold // the snapshot under way covers it
	}
	if v.Arrival == TooFar {
		s.phase = max(s.phase, PhaseGapDetected)
		return v
	}
	s.missing += v.Missing
	s.phase = max(s.phase, PhaseGapDetected)
	s.advance(n)
	return v
}

func (t *Tracker) request(d Domain, src Source, last, current uint64, asks RequestType) Recovery {
	return Recovery{d, src, RecoveryRequest{
		LastSequence: last, CurrentSequence: current, Consumer: t.Consumer, Request: asks}}
}

// Requested notes that v.Request was sent.
func (t *Tracker) Requested(r Recovery) {
	s := t.streams[r.Domain%5][r.Source]
	if s == nil {
		return
	}
	if r.Request.Request == FullState {
		s.phase = PhaseSnapshotLoading
	} else if s.phase != PhaseSnapshotLoading {
		s.phase = PhaseRecoveryRequested
	}
}

// Failed notes that the recovery did not work out and returns the next thing to ask for: always a snapshot.
// ErrRecoveryFailed after three failures.
func (t *Tracker) Failed(r Recovery) (Recovery, error) {
	s := t.streams[r.Domain%5][r.Source]
	if s == nil {
		return r, nil
	}
	if s.failures++; s.failures >= maxRetries {
		return Recovery{}, ErrRecoveryFailed
	}
	s.phase = PhaseGapDetected
	return t.request(r.Domain, r.Source, r.Request.LastSequence, max(r.Request.CurrentSequence, s.last), FullState), nil
}

// Resume continues a stream after a snapshot that holds everything up to sequence n.
func (t *Tracker) Resume(d Domain, src Source, n uint64) {
	s := t.streams[d%5][src]
	if s == nil {
		s = &sequence{}
		t.streams[d%5][src] = s
	}
	if n > s.last {
		s.start(n)
	}
	s.missing, s.failures, s.phase = 0, 0, PhaseResynchronising
}

// Forget drops what is known about a stream; its next message starts it anew.
func (t *Tracker) Forget(d Domain, src Source) { t.streams[d%5][src] = nil }

// Phase is where a stream stands; last is its highest number, 0 before the first message.
func (t *Tracker) Phase(d Domain, src Source) (p Phase, last uint64) {
	if s := t.streams[d%5][src]; s != nil {
		return s.phase, s.last
	}
	return PhaseNormal, 0
}

func (s *sequence) start(n uint64) {
	s.first, s.last, s.seen = n, n, [16]uint64{}
	s.mark(n)
}

// inOrder is what to do with the next number in the present phase.
func (s *sequence) inOrder() Action {
	switch s.phase {
	case PhaseResynchronising:
		s.phase = PhaseNormal
	case PhaseGapDetected, PhaseRecoveryRequested, PhaseSnapshotLoading:
		return Hold
	}
	return Process
}

// behind answers n <= s.last.
func (s *sequence) behind(n uint64) Verdict {
	switch {
	case n < s.first || s.last-n >= DefaultWindow:
		return Verdict{Arrival: TooOld, Action: Drop}
	case s.seen[n>>6&15]&(1<<(n&63)) != 0:
		return Verdict{Arrival: Duplicate, Action: Drop}
	}
	s.mark(n)
	if s.missing > 0 {
		s.missing--
	}
	if s.missing == 0 && (s.phase == PhaseGapDetected || s.phase == PhaseRecoveryRequested) {
		s.phase, s.failures = PhaseNormal, 0
	}
	return Verdict{Arrival: Late}
}

// advance moves last to n, forgetting what leaves the window.
func (s *sequence) advance(n uint64) {
	if n-s.last >= 1024 {
		s.seen = [16]uint64{}
	} else {
		for i := s.last + 1; i != n; i++ {
			s.seen[i>>6&15] &^= 1 << (i & 63)
		}
	}
	s.last = n
	s.mark(n)
}

func (s *sequence) mark(n uint64) { s.seen[n>>6&15] |= 1 << (n & 63) }
