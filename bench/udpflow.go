package bench

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// A stream over UDP has nobody to hold it up: a sender that is faster than its receiver fills the socket's buffer, and what comes then is
// dropped. How much is dropped would say more of the two processors than of a lane. So the far side of every such lane, the bare loops
// included, writes on the board how far it is, and the near side stays within a window that the socket's buffer holds. The board costs a
// cache line per round and no system call. What is lost all the same is counted, and the rate is that of messages that arrived.
const (
	roundBytes = 128 << 10             // payload published between two looks at clock and board
	window     = 8 * roundBytes        // payload on its way at most
	patience   = 20 * time.Millisecond // after which what is on its way counts as lost
)

// flow is a near side's hold on its stream.
type flow struct {
	mem    sys.Mem
	next   uint64 // number of the next message, from 1
	window uint64 // messages
	round  int    // messages
	lost   uint64 // numbers below it are not waited for
}

func newFlow(mem sys.Mem, s laneSpec) flow {
	f := flow{mem: mem, next: 1, window: uint64(window / s.Size), round: s.Round}
	if s.Round == 0 {
		f.round = roundBytes / s.Size
	} else {
		f.window = uint64(4 * s.Round)
	}
	return f
}

// run sends rounds of messages until the slice is over. wait is what a full window is waited out with.
func (f *flow) run(s *slice, send func(s *slice, n int) error, wait func() error) error {
	before, n := f.mem.Load64(udpTaken), f.round
	for {
		if err := f.room(s, uint64(n), wait); err != nil {
			return err
		}
		if err := send(s, n); err != nil {
			return err
		}
		f.next += uint64(n)
		s.sent += uint64(n)
		if !s.counting(s.clock.now(), f.mem.Load64(udpTaken)-before) {
			return nil
		}
	}
}

// room waits until n messages fit into the window. Where nothing moves for a while the far side has lost the end of what was sent and
// cannot know; then it is sent more.
func (f *flow) room(s *slice, n uint64, wait func() error) error {
	full := func() bool { return f.next+n > max(f.mem.Load64(udpSeen), f.lost)+f.window }
	if !full() {
		return nil
	}
	for stuck, spins := newBound(s.clock, patience), 1; full(); spins++ {
		if err := wait(); err != nil {
			return err
		}
		if spins%tendEvery != 0 {
			continue
		}
		if err := s.look(); err != nil {
			return err
		}
		if stuck.passed() {
			f.lost = f.next
		}
	}
	return nil
}

// pause is a wait without anything to do.
func pause() error {
	sys.Pause()
	return nil
}

// ledger is a far side's account of a stream.
type ledger struct {
	mem   sys.Mem
	base  uint64 // number of the slice's first message
	want  uint64 // number that comes next
	taken uint64
}

func newLedger(mem sys.Mem) ledger { return ledger{mem: mem, base: 1, want: 1} }

// other accounts for a message whose number is not the one that comes next. What is ahead leaves a gap; what is behind was there before.
func (g *ledger) other(t *turn, number uint64) {
	if number < g.want {
		t.bad++
		return
	}
	t.lost += number - g.want
	g.want = number + 1
}

// took tells the near side of n messages more.
func (g *ledger) took(t *turn, n int) {
	g.taken += uint64(n)
	t.messages += uint64(n)
	g.mem.Store64(udpTaken, g.taken)
	g.mem.Store64(udpSeen, g.want)
}

// over reports whether the slice is: the near side has stopped, and its last message was seen or does not come any more.
func (g *ledger) over(t *turn) bool {
	if !t.board.stopped() {
		return false
	}
	end := g.base + t.board.sent()
	if g.want < end {
		if !t.lacking {
			t.lacking, t.missing = true, newBound(t.clock, 5*patience)
		}
		if !t.missing.passed() {
			return false
		}
		t.lost += end - g.want
	}
	g.base, g.want = end, end
	g.mem.Store64(udpSeen, end)
	return true
}

// mirrorLedger is the account of a far side that reads a mirror, and takes each payload as an engine does.
type mirrorLedger struct {
	ledger
	size   int
	batch  [peekAtMost]ring.Record
	copied [maxSize]byte
}

func newMirrorLedger(mem sys.Mem, size int) mirrorLedger {
	return mirrorLedger{ledger: newLedger(mem), size: size}
}

func (l *mirrorLedger) take(t *turn, batch []ring.Record) {
	out := l.copied[:l.size]
	for _, r := range batch {
		p := r.Payload()
		if len(p) != l.size {
			t.bad++
			continue
		}
		number := binary.LittleEndian.Uint64(p)
		if uint64(r.Seq32()) != number&math.MaxUint32 {
			t.bad++
		}
		if number == l.want {
			l.want++
		} else {
			l.other(t, number)
		}
		move(out, p)
	}
	l.took(t, len(batch))
}
