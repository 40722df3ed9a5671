package netio

// Count is one number of a way or a queue, since it was opened.
type Count struct {
	Channel   string // empty: all of the way's
	What      What
	Direction string // "out", "in"; empty: both
	Reason    string // of what was dropped or refused
	Value     uint64
}

// What is what a Count counts.
type What uint8

// What ways and queues count.
const (
	CountFrames      What = iota // carried or delivered; of a queue: accepted, or taken into mirrors
	CountBytes                   // of payload that a medium was given, or brought
	CountDatagrams               // sent or arrived
	CountEnvelopes               // that a queue took or gave
	CountAgain                   // frames that were carried once more
	CountConnections             // that came about
	CountLost                    // frames that were given up
	CountDropped                 // datagrams or frames, by reason
	CountUnknown                 // envelopes of which the queue's answer never came
	CountRefused                 // envelopes or deliveries, by reason
)

// Counted is a Way, a QueueWay or what Queues.Take returns that says what it counts. It may be asked from any goroutine. What it tells never goes
// down until it is closed; a reason that nothing had is not told. What several ways or lines share, the first of them tells.
type Counted interface {
	Counts(tell func(Count))
}

// Timed is a QueueWay or what Queues.Take returns that records how old messages are: Carried when the queue is given an envelope, received when a
// run is in its mirror, each once a batch at most. nil: it is not kept. It may be called from any goroutine, and nothing is recorded any more
// once the Spread was taken back, or the way or taking was closed.
type Timed interface {
	Time(carried, received *Spread)
}

// Tell tells a count, unless it is of a reason and nothing had it.
func Tell(tell func(Count), c Count) {
	if c.Reason == "" || c.Value > 0 {
		tell(c)
	}
}

// Directions of a Count.
const (
	Out = "out"
	In  = "in"
)
