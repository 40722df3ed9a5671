package mqadapt

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

// Queue keeps the envelopes of a channel until every group of consumers has taken them.
type Queue interface {
	// Producer opens the putting end. Where a queue has one at a time, a second answers ErrOwned and names the first.
	Producer() (Producer, error)

	// Consumer opens a member of a group. A group is durable: it goes on where its members acknowledged last, and a new one begins with
	// the oldest that the queue holds. Groups do not disturb each other. Of the members of one group each envelope goes to one, and each
	// source's to one member at a time; where a queue cannot divide a group's envelopes, one member has them all and the others wait.
	Consumer(group string) (Consumer, error)

	// Close closes what was opened through it.
	Close() error
}

// Producer puts envelopes into a queue. It belongs to one goroutine.
type Producer interface {
	// Put takes the first n of batch into its window, in order: fewer than there are when the window is full, or nothing can be taken now.
	// The bytes are the caller's again when it returns. It does not wait for the queue.
	//
	// An error ends the producer: what was taken and has no outcome yet is unknown. The caller opens another, or tells the operator.
	Put(batch []Envelope) (n int, err error)

	// Settle writes the outcomes of envelopes taken, in the order of Put, and returns how many. It waits for the first one at most so
	// long. An error is that of Put.
	Settle(out []Outcome, wait time.Duration) (n int, err error)

	// Close waits, within a bound of its own, for what is under way.
	Close() error
}

// Envelope is one envelope that is to be put: its header and its body, which may lie in a ring. Length is that of the body.
type Envelope struct {
	seal.Header
	Body []byte
}

// Size returns the number of bytes of the envelope.
func (e *Envelope) Size() int { return seal.HeaderSize + len(e.Body) }

// PutBytes writes the envelope to the first Size bytes of b.
func (e *Envelope) PutBytes(b []byte) {
	e.Length = len(e.Body)
	e.Header.Put(b)
	copy(b[seal.HeaderSize:], e.Body)
}

// Verdict is what a queue says of an envelope it was given. The zero Verdict is Unknown.
type Verdict uint8

const (
	// Unknown: the queue may have it or not: it was under way when the link to the queue ended.
	Unknown Verdict = iota
	// Accepted: the queue has it, as durably as it was asked.
	Accepted
	// Rejected: the queue has it not and says why.
	Rejected
)

// String returns "unknown", "accepted" or "rejected".
func (v Verdict) String() string {
	switch v {
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	}
	return "unknown"
}

// Outcome is the verdict on one envelope. Why is nil when it is accepted. Errors.Is(Why, ErrRefused) says that the queue will never take
// this envelope; anything else may be tried again.
type Outcome struct {
	Verdict Verdict
	Why     error
}

// Consumer takes a group's envelopes. It belongs to one goroutine.
type Consumer interface {
	// Get lends the next deliveries, at most len(batch), and returns how many. It waits for the first one at most so long. What it lends is
	// valid until it is acknowledged or the consumer is closed.
	//
	// An error ends the consumer. What was not acknowledged comes again, to this group's next member.
	Get(batch []Delivery, wait time.Duration) (n int, err error)

	// Ack says that everything up to this position is done with: no member of the group sees it again, but for what a queue repeats when
	// a member or its link ended before the word was out.
	Ack(position uint64) error

	// Position returns the position that is acknowledged.
	Position() uint64

	// Close gives what is not acknowledged to the group's next member.
	Close() error
}

// Selective is a Consumer that lends a bounded number of deliveries, and may run out of them while one that came before its turn waits for what
// comes after all the others.
type Selective interface {
	Consumer

	// AckOne says that one delivery is done with while others before it are not: another may be lent in its place. It is said once of a
	// delivery, and Ack passes over it later.
	AckOne(position uint64) error
}

// Delivery is one envelope as a consumer gets it.
type Delivery struct {
	Envelope []byte
	Position uint64 // rises from one delivery of a consumer to the next
	Lost     uint64 // how many the queue dropped before this one that the group never had, as far as it knows
}

// Durability names what an accepted envelope outlives.
type Durability uint8

const (
	// Process envelopes outlive the process that put them, killed at any point.
	Process Durability = iota
	// Memory envelopes live as long as the process that put them, or the broker; a queue may keep them longer.
	Memory
	// OS envelopes outlive the operating system: they are on the device.
	OS
)

// String returns "memory", "process-crash" or "os-crash".
func (d Durability) String() string {
	return [...]string{"process-crash", "memory", "os-crash"}[min(d, OS)]
}
