package bench

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/xdp"
)

// A lane is one way to carry messages between the two sides. Its near side sends and keeps the clock, its far side answers or drains.

// Kinds of lanes.
const (
	kindLine    = "line"    // two words, each on a line of its own
	kindSlots   = "slots"   // hand-written rings of fixed slots
	kindRing    = "ring"    // package ring
	kindNode    = "node"    // a Publisher and a Subscriber
	kindUnix    = "unix"    // stream socket
	kindChannel = "channel" // Go channel; both ends in this process
	kindUDP     = "udp"     // rings, carried by package udp
	kindUDPRaw  = "udp-raw" // a bare loop around a socket
	kindUDPNet  = "udp-net" // net.UDPConn
	kindTCP     = "tcp"     // rings, carried by package tcp
	kindTCPRaw  = "tcp-raw" // a bare loop around a socket
	kindTCPNet  = "tcp-net" // net.TCPConn
	kindQUIC    = "quic"    // rings, carried by package quic
	kindQUICGo  = "quic-go" // quic-go alone
	kindJournal = "journal" // package journal; both ends in this process
	kindFile    = "file"    // the same bytes, written one after the other
	kindShipped = "shipped" // a ring, carried into a journal
	kindStall   = "stall"   // no messages: both sides watch their own processor
)

// Kinds of lanes over the broker that laneSpec.Queue names; both ends are in this process.
const (
	kindQueue        = "queue"         // its package of mqadapt
	kindQueueBare    = "queue-bare"    // its client alone
	kindQueueShipped = "queue-shipped" // a ring, carried into it
)

// Patterns of use.
const (
	patternPingPong = "ping-pong" // one message there, one back, closed loop
	patternStream   = "stream"    // as many as fit, one way
	patternOneWay   = "one-way"   // at instants fixed beforehand
	patternPublish  = "publish"   // batches, of which the publisher's part is timed
	patternArrive   = "arrive"    // one message at a time, until it was taken
	patternFlood    = "flood"     // as many as are taken
	patternCrowd    = "crowd"     // rounds over many channels of one link
	patternFan      = "fan"       // one-way, to a multicast group
)

// laneSpec says what both sides need to open their end of a lane.
type laneSpec struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Pattern string  `json:"pattern,omitempty"`
	Size    int     `json:"size,omitempty"`    // payload bytes
	Batch   int     `json:"batch,omitempty"`   // messages published at once
	Readers int     `json:"readers,omitempty"` // cursors on the far side
	Rate    float64 `json:"rate,omitempty"`    // open loop, messages per second; of publish lanes, batches
	Offset  uint64  `json:"offset,omitempty"`  // start of the lane's area on the board
	Path    string  `json:"path,omitempty"`    // prefix of the lane's files
	CPU     int     `json:"cpu,omitempty"`     // the far side's processor

	Net      *network `json:"net,omitempty"`      // over UDP: what lies between the sides
	Separate bool     `json:"separate,omitempty"` // one message per datagram
	Secret   []byte   `json:"secret,omitempty"`   // sealed
	Fan      *fan     `json:"fan,omitempty"`      // fan-out over UDP: who is in the group
	Round    int      `json:"round,omitempty"`    // messages of a stream between two looks at the clock; 0 is roundBytes of them
	Plain    bool     `json:"plain,omitempty"`    // one system call per batch of datagrams, each whole: neither UDP_SEGMENT nor UDP_GRO
	Loose    bool     `json:"loose,omitempty"`    // the socket is not connected: each datagram has its address, as past the kernel
	Gather   bool     `json:"gather,omitempty"`   // over TCP: a baseline that writes as much at once as package tcp
	Stopped  bool     `json:"stopped,omitempty"`  // of a crowd: the last channel's reader does not read
	Papers   *papers  `json:"papers,omitempty"`   // over QUIC, and TCP with TLS: certificates of both sides
	Past     string   `json:"past,omitempty"`     // past the kernel's sockets, by AF_XDP attached that way

	Watched bool   `json:"watched,omitempty"` // what it does is told in stats files
	Beside  string `json:"beside,omitempty"`  // the lane whose files it shares

	Naps   bool `json:"naps,omitempty"`   // of publish lanes: the local reader sleeps between two looks
	Synced bool `json:"synced,omitempty"` // on disk: a sync for each batch

	Queue  brokers.Kind `json:"queue,omitempty"`  // over a broker: of which kind
	Broker string       `json:"broker,omitempty"` // over a broker: where it is
	Mark   string       `json:"mark,omitempty"`   // over a broker: what the lane's name there ends with

	hub    *xdp.Hub     // of this side, past the kernel
	board  *watch.Board // of this side, of a lane over UDP that is watched
	slices int          // that this side has run, of lanes that are watched
}

// here says whether both ends of the lane are in this process.
func (s laneSpec) here() bool {
	switch s.Kind {
	case kindChannel, kindJournal, kindFile, kindShipped, kindQueue, kindQueueBare, kindQueueShipped:
		return true
	}
	switch s.Pattern {
	case patternPublish, patternArrive, patternFlood, patternCrowd:
		return true
	}
	return false
}

// overNetwork says whether the lane crosses a network.
func (s laneSpec) overNetwork() bool {
	return s.Kind == kindUDP || s.Kind == kindUDPRaw || s.Kind == kindUDPNet || s.overTCP() || s.overQUIC()
}

func (s laneSpec) overTCP() bool {
	return s.Kind == kindTCP || s.Kind == kindTCPRaw || s.Kind == kindTCPNet
}

func (s laneSpec) overQUIC() bool { return s.Kind == kindQUIC || s.Kind == kindQUICGo }

// near is the sending end of a lane.
type near interface {
	// run carries messages until the slice is over.
	run(s *slice) error
	close() error
}

// far is the answering end of a lane. serve returns once the board says stop and everything sent before has been seen.
type far interface {
	serve(t *turn) error
	close() error
}

// Outcomes of a slice that ends the run.
var (
	// ErrPeer: the far side's process ended or answered with an error. Its last words are in the text; run again.
	ErrPeer = errors.New("bench: the far side is gone")

	// ErrSilent: the far side lives but did not answer in time, because it is stopped or starved. Run again on a quieter machine.
	ErrSilent = errors.New("bench: the far side is silent")

	// ErrCorrupt: a message arrived changed, twice, late or not at all. The lane named in the text is broken: report it.
	ErrCorrupt = errors.New("bench: messages were not delivered as sent")
)

const (
	defaultPatience = 3 * time.Second // how long one side waits for the other before it calls it silent
	lookEvery       = 1 << 12         // spins between two looks at whether the other side still lives
)

// slice is one lane's turn on the near side.
type slice struct {
	clock *clock
	warm  uint64 // reading from which on messages count
	end   uint64 // reading at which sending stops
	limit bound  // after it the far side counts as silent
	gone  *atomic.Bool
	hist  *hdrhistogram.Histogram
	waits time.Duration // patience with the far side

	from, till uint64 // readings around the measured messages
	ops        uint64 // messages or round trips between them
	sent       uint64 // all messages of the slice, the warm-up's too
	lost       uint64 // those whose answer was given up, over UDP
	atFrom     uint64 // sent, or arrived, at from

	own, ownOps uint64 // allocations of the publisher alone, and in how many messages; none: all of this process count
}

// begin opens the slice: warm-up from now on, then measured for d.
func (s *slice) begin(warm, d time.Duration) {
	now := s.clock.now()
	s.warm = now + s.clock.ticks(warm)
	s.end = s.warm + s.clock.ticks(d)
	s.limit = newBound(s.clock, warm+d+s.waits)
	s.from, s.till, s.ops, s.sent, s.lost, s.atFrom, s.own, s.ownOps = 0, 0, 0, 0, 0, 0, 0, 0
	s.hist.Reset()
}

// lap notes a round trip from one reading to another and says whether there is time for one more. At least one is measured.
func (s *slice) lap(t0, t1 uint64) bool {
	s.sent++
	if t0 < s.warm {
		return true
	}
	if s.from == 0 {
		s.from = t0
	}
	s.ops++
	s.till = t1
	record(s.hist, s.clock.ns(t1-t0))
	return t1 < s.end
}

// running notes that sent messages are out at a reading and says whether there is time for more. At least one step is measured.
func (s *slice) running(now uint64) bool { return s.counting(now, s.sent) }

// counting is running where what counts is not what was sent but what has arrived. There is time until something has.
func (s *slice) counting(now, arrived uint64) bool {
	if now < s.warm {
		return true
	}
	if s.from == 0 {
		s.from, s.atFrom = now, arrived
		return true
	}
	s.till, s.ops = now, arrived-s.atFrom
	return now < s.end || s.ops == 0
}

// look is called by a waiting loop every lookEvery spins.
func (s *slice) look() error {
	if s.gone.Load() {
		return ErrPeer
	}
	if s.limit.passed() {
		return ErrSilent
	}
	return nil
}

// perSec returns the slice's rate, or zero when it measured nothing.
func (s *slice) perSec() float64 {
	if s.till <= s.from {
		return 0
	}
	return float64(s.ops) * 1e9 / float64(s.clock.ns(s.till-s.from))
}

// turn is one lane's turn on the far side.
type turn struct {
	board    board
	clock    *clock
	hist     *hdrhistogram.Histogram
	messages uint64
	lost     uint64 // messages that never came, where that may be
	bad      uint64 // messages that were not the expected one
	missing  bound  // begun when the near side is first seen stopped with messages missing
	lacking  bool   // it has begun
}

// over reports whether the near side has stopped and all it sent has been seen. What is still missing a second later is lost, and the
// near side learns it from the count.
func (t *turn) over() bool {
	if !t.board.stopped() {
		return false
	}
	if t.messages+t.lost >= t.board.sent() {
		return true
	}
	if !t.lacking {
		t.lacking, t.missing = true, newBound(t.clock, time.Second)
	}
	return t.missing.passed()
}

// board is the memory both sides share: a stop word, the count of sent messages, and an area for each lane that needs one.
//
//	0    stop: 1 while no lane runs            near side
//	128  sent: messages of the slice           near side, before stop
//	256  warm: reading from which they count   near side, before start
//	4096 areas
type board struct{ sys.Mem }

const (
	boardStop  = 0
	boardSent  = 128
	boardWarm  = 256
	boardAreas = 4096
)

func (b board) stopped() bool { return b.Load64(boardStop) != 0 }
func (b board) sent() uint64  { return b.Load64(boardSent) }
func (b board) start()        { b.Store64(boardStop, 0) }

func (b board) count(from uint64) { b.Store64(boardWarm, from) }

func (b board) stop(sent uint64) {
	b.Store64(boardSent, sent)
	b.Store64(boardStop, 1)
}

// areaOf returns how many bytes of the board a lane needs.
func areaOf(s laneSpec) uint64 {
	switch s.Kind {
	case kindLine:
		return lineArea
	case kindSlots:
		if s.Pattern == patternPingPong {
			return pongArea(s.Size)
		}
		return slotsArea
	case kindUDP, kindUDPRaw, kindUDPNet, kindTCP, kindTCPRaw, kindTCPNet, kindQUIC, kindQUICGo:
		return udpArea
	}
	return 0
}

// place gives each lane its area and returns the board's size.
func place(specs []laneSpec) int64 {
	at := uint64(boardAreas)
	for i := range specs {
		specs[i].Offset = at
		at += (areaOf(specs[i]) + 4095) &^ 4095
	}
	return int64(at)
}

// openNear opens the sending end of a lane.
func openNear(s laneSpec, b board, seed uint64) (near, error) {
	switch s.Pattern {
	case patternPublish:
		return newPublish(s, seed)
	case patternArrive:
		return newArrive(s, seed)
	case patternFlood:
		return newFlood(s, seed)
	case patternCrowd:
		return newTCPCrowd(s, seed)
	}
	switch s.Kind {
	case kindLine:
		return newLineNear(s, b), nil
	case kindSlots:
		if s.Pattern == patternPingPong {
			return newPongSlotsNear(s, b, seed), nil
		}
		return newSlotsNear(s, b, seed)
	case kindRing:
		if s.Pattern == patternPingPong {
			return newRingPing(s, seed)
		}
		return newRingSource(s, seed)
	case kindNode:
		return newNodeSource(s, seed)
	case kindUnix:
		return newUnixNear(s, seed)
	case kindChannel:
		return newChannelNear(s, seed), nil
	case kindJournal:
		return newJournalNear(s, seed)
	case kindFile:
		return newFileNear(s, seed)
	case kindShipped:
		return newShippedNear(s, seed)
	case kindQueue:
		return newQueueNear(s, seed)
	case kindQueueBare:
		return newBareNear(s, seed)
	case kindQueueShipped:
		return newQueueShippedNear(s, seed)
	case kindStall:
		return &stallNear{}, nil
	case kindUDP, kindUDPRaw, kindUDPNet:
		return openUDPNear(s, b.At(s.Offset), seed)
	case kindQUIC, kindQUICGo:
		return openQUICNear(s, b.At(s.Offset), seed)
	case kindTCP, kindTCPRaw, kindTCPNet:
		return openTCPNear(s, b.At(s.Offset), seed)
	}
	return nil, fmt.Errorf("bench: no lane of kind %q", s.Kind)
}

// openFar opens the answering end of a lane; nil for a lane that has both ends on the near side.
func openFar(s laneSpec, b board) (far, error) {
	if s.here() {
		return nil, nil
	}
	switch s.Kind {
	case kindLine:
		return newLineFar(s, b), nil
	case kindSlots:
		if s.Pattern == patternPingPong {
			return newPongSlotsFar(s, b), nil
		}
		return newSlotsFar(s, b), nil
	case kindRing:
		if s.Pattern == patternPingPong {
			return newRingPong(s)
		}
		return newRingSink(s)
	case kindNode:
		return newNodeSink(s)
	case kindUnix:
		return newUnixFar(s)
	case kindStall:
		return &stallFar{}, nil
	case kindUDP, kindUDPRaw, kindUDPNet:
		return openUDPFar(s, b.At(s.Offset))
	case kindQUIC, kindQUICGo:
		return openQUICFar(s, b.At(s.Offset))
	case kindTCP, kindTCPRaw, kindTCPNet:
		return openTCPFar(s, b.At(s.Offset))
	}
	return nil, fmt.Errorf("bench: no lane of kind %q", s.Kind)
}
