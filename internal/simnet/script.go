package simnet

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Direction is the way of a datagram through the relay.
type Direction uint8

const (
	// Up is from clients to the target.
	Up Direction = 1 << iota
	// Down is from the target to clients.
	Down
	// Both is either way, where a method takes directions.
	Both = Up | Down
)

// String names the direction as pulse chaos does.
func (d Direction) String() string {
	switch d {
	case Up:
		return "up"
	case Down:
		return "down"
	case Both:
		return "both"
	}
	return "none"
}

// Verdict says whether a datagram goes on, or why not.
type Verdict uint8

const (
	// Passed goes on, perhaps late or damaged.
	Passed Verdict = iota
	// Partitioned met an outage or a partition.
	Partitioned
	// Lost was drawn, by itself or within a burst.
	Lost
	// Limited found the queue of the rate full.
	Limited
)

// Fate is what happens to one datagram. Beyond Verdict it counts only if Passed.
type Fate struct {
	Verdict Verdict
	Size    int           // bytes that go on
	Flip    int           // the bit that is turned, counted from the first byte's lowest; negative: none
	Twice   bool          // goes on twice
	Behind  int           // later datagrams that go first
	Due     time.Duration // when it leaves; never before the one decided before it
}

// Script decides the fates of one direction's datagrams. What it draws depends on the seed, the direction and the datagram's number,
// on nothing before it: other faults, a partition or a lost datagram shift no later draw. State that passes from one datagram
// to the next is the burst, the rate's queue and the order. Not safe for concurrent use; the zero Script is not valid.
type Script struct {
	faults  Faults
	since   time.Duration // when faults came to count
	cut     bool          // partitioned by hand
	number  uint64        // of the next datagram
	bad     bool          // within a burst
	free    time.Duration // when the rate has sent all that waits
	lastDue time.Duration

	key    [32]byte // seed 8, direction 8, number 8, zeroes 8
	source *rand.ChaCha8
	draw   *rand.Rand
}

// NewScript starts the script of one direction at datagram 0. Faults are those that Check accepts.
func NewScript(seed uint64, d Direction, f Faults) *Script {
	s := &Script{faults: f}
	binary.LittleEndian.PutUint64(s.key[0:], seed)
	binary.LittleEndian.PutUint64(s.key[8:], uint64(d))
	s.source = rand.NewChaCha8(s.key)
	s.draw = rand.New(s.source)
	return s
}

// Set changes the faults from the next datagram on; an outage counts from now. What waited for the former rate is forgotten.
func (s *Script) Set(now time.Duration, f Faults) {
	s.faults, s.since, s.free = f, now, 0
	s.lastDue = min(s.lastDue, now+f.Delay+f.Jitter)
}

// Partition drops everything from the next datagram on, or ends that. Outages go on by themselves.
func (s *Script) Partition(on bool) { s.cut = on }

// draws are a datagram's random numbers, in the order in which they are drawn. All are drawn for each, used or not, and new ones are
// added at the end: so a fault more changes nothing about the others.
type draws struct {
	lost, turn, burst, held, twice, flip, bit, cut, size, jitter float64
}

func (s *Script) drawAll() (d draws) {
	binary.LittleEndian.PutUint64(s.key[16:], s.number)
	s.number++
	s.source.Seed(s.key)
	for _, to := range []*float64{&d.lost, &d.turn, &d.burst, &d.held, &d.twice, &d.flip, &d.bit, &d.cut, &d.size, &d.jitter} {
		*to = s.draw.Float64()
	}
	return d
}

// Next decides about the next datagram, of size bytes, that arrives at now: the time since any origin.
func (s *Script) Next(now time.Duration, size int) Fate {
	d, f := s.drawAll(), &s.faults
	inBurst := s.step(d)
	switch {
	case s.cut || f.Outage.at(now-s.since):
		return Fate{Verdict: Partitioned}
	case d.lost < f.Loss || inBurst:
		return Fate{Verdict: Lost}
	}
	fate := Fate{Size: size, Flip: -1, Twice: d.twice < f.Duplicate}
	if size > 0 && d.cut < f.Truncate {
		fate.Size = int(d.size * float64(size))
	}
	if fate.Size > 0 && d.flip < f.Corrupt {
		fate.Flip = int(d.bit * float64(8*fate.Size))
	}
	bytes := fate.Size
	if fate.Twice {
		bytes *= 2
	}
	sent, room := s.send(now, bytes)
	if !room {
		return Fate{Verdict: Limited}
	}
	fate.Due = max(s.lastDue, sent+f.Delay+time.Duration(d.jitter*float64(f.Jitter)))
	s.lastDue = fate.Due
	if d.held < f.Reorder {
		if fate.Behind = f.ReorderBy; fate.Behind == 0 {
			fate.Behind = reorderBy
		}
	}
	return fate
}

// step lets the burst start or end before the datagram, and reports whether it takes the datagram.
func (s *Script) step(d draws) (lost bool) {
	b := s.faults.Burst
	switch {
	case b.Start == 0:
		s.bad = false
	case s.bad:
		s.bad = d.turn >= 1/b.Mean
	default:
		s.bad = d.turn < b.Start
	}
	return s.bad && (b.Loss == 0 || d.burst < b.Loss)
}

// send gives bytes their turn at the rate: when the last of them has left, or no room in the queue. An idle line takes a datagram
// however large.
func (s *Script) send(now time.Duration, bytes int) (sent time.Duration, room bool) {
	if s.faults.Rate == 0 {
		return now, true
	}
	start := max(now, s.free)
	sent = start + time.Duration(bytes)*time.Second/time.Duration(s.faults.Rate)
	if start > now && sent-now > s.faults.queueWait() {
		return 0, false
	}
	s.free = sent
	return sent, true
}
