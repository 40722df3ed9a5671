package udp

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// pipe is one end of a medium within the test: bounded, lossy when asked, and picky about what it lends.
type pipe struct {
	at     netip.AddrPort
	other  *pipe
	placed [][]byte
	queue  [][]byte // what has arrived
	lent   [][]byte
	drop   func() bool
	closed bool
	away   bool // nobody answers
	stuck  bool // nothing leaves
	gone   int
	room   int // that the path has; 0: pipeRoom
	large  int // datagrams that had none
}

const (
	pipeRoom  = 1400
	pipeBatch = 64  // placed at most
	pipeQueue = 256 // on the way at most
	pipeFlush = 20  // datagrams a Flush takes
)

func newPipe(loss float64) (a, b *pipe) {
	random := rand.New(rand.NewPCG(1, 2))
	drop := func() bool { return random.Float64() < loss }
	a = &pipe{at: netip.MustParseAddrPort("10.9.0.1:700"), drop: drop}
	b = &pipe{at: netip.MustParseAddrPort("10.9.0.2:700"), drop: drop, other: a}
	a.other = b
	return a, b
}

func (p *pipe) Spare() int { return pipeBatch - len(p.placed) }

func (p *pipe) Place(to netip.AddrPort, n int) []byte {
	if to != p.other.at || n < 1 || n > pipeRoom || p.closed {
		panic("a datagram that no end may place")
	}
	if n > p.Room() {
		p.large++
		return make([]byte, n)
	}
	if p.Spare() == 0 {
		return nil
	}
	d := make([]byte, n)
	for i := range d {
		d[i] = 0xA5 // what a former datagram left
	}
	p.placed = append(p.placed, d)
	return d
}

func (p *pipe) Flush() (int, error) {
	for n := 0; !p.stuck && n < pipeFlush && len(p.placed) > 0 && len(p.other.queue) < pipeQueue; n++ {
		switch {
		case p.away:
			p.gone++
		case !p.drop():
			p.other.queue = append(p.other.queue, p.placed[0])
		}
		p.placed = p.placed[1:]
	}
	return len(p.placed), nil
}

func (p *pipe) Refused() (int, error) {
	if n := p.large; n > 0 {
		p.large = 0
		return n, fmt.Errorf("to %s: %w", p.other.at, sys.ErrTooBig)
	}
	n := p.gone
	if p.gone = 0; n == 0 {
		return 0, nil
	}
	return n, errors.New("nobody answers")
}

func (p *pipe) Receive() (int, error) {
	for _, d := range p.lent {
		clear(d)
	}
	n := min(len(p.queue), 32)
	p.lent, p.queue = p.queue[:n:n], p.queue[n:]
	return n, nil
}

func (p *pipe) Datagram(i int) ([]byte, netip.AddrPort) { return p.lent[i], p.other.at }
func (p *pipe) Room() int                               { return cmp.Or(p.room, pipeRoom) }
func (p *pipe) Local() netip.AddrPort                   { return p.at }
func (p *pipe) Close() error                            { p.closed = true; return nil }

var _ netio.Medium = (*pipe)(nil)

// TestMediumCarriesWhatSocketsCarry: the same channel over a medium, alone or beside a socket, with loss or without.
func TestMediumCarriesWhatSocketsCarry(t *testing.T) {
	for name, options := range variants(t) {
		for _, c := range []struct {
			name   string
			rel    Reliability
			loss   float64
			beside bool
		}{{"best effort", BestEffort, 0, false}, {"repaired", Repaired, 0.1, false}, {"beside a socket", Repaired, 0.3, true}} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				so, ro := options()
				so.Reliability, ro.Reliability = c.rel, c.rel
				near, far := newPipe(c.loss)
				so.Lines, ro.Lines = []Dial{{Medium: near, To: far.at}}, []Listen{{Medium: far}}
				b := &bed{t: t}
				b.source = mustRing(t, ringOptions)
				var err error
				b.pub, err = b.source.Writer()
				must(t, err)
				if c.beside {
					ro.Lines = append(ro.Lines, Listen{Bind: anyPort()})
				}
				b.listen(ro)
				if c.beside {
					so.Lines = append(so.Lines, Dial{To: b.recv.Local(1)})
				}
				so.Channel = "signals"
				b.send, err = NewSender(so)
				must(t, err)
				must(t, b.send.Add(b.source))
				if b.send.Local(0) != near.at || b.recv.Local(0) != far.at || b.send.Features().Segments != 0 {
					t.Error("ends do not know their medium")
				}
				total := 0
				b.until("a session", func() bool { b.publish(1, 64); total++; return len(b.got) > 0 })
				for i := range 100 {
					b.publish(20, 40+i*7%700)
					total += 20
					b.step()
				}
				b.publish(3, 9000)
				total += 3
				b.until("delivery", func() bool { return len(b.got) > 0 && b.got[len(b.got)-1].seq == uint64(total) })
				b.verify(b.got[0].seq, uint64(total), c.loss > 0 && c.rel == BestEffort)
				if c.rel == Repaired {
					b.until("confirmation", b.send.Drained)
				}
				for reason, n := range b.recv.Stats().Dropped {
					again := Reason(reason) == Duplicate || Reason(reason) == StashFull && c.rel == Repaired // what comes again may come twice, or too early
					if n > 0 && Reason(reason) != NoSession && !again {
						t.Errorf("%d were dropped as %s", n, Reason(reason))
					}
				}
				must(t, b.send.Close())
				if !near.closed {
					t.Error("the medium was left open")
				}
			})
		}
	}
}

func TestMediumTellsWhatItRefuses(t *testing.T) {
	var sent events
	near, far := newPipe(0)
	b := newBed(t, SenderOptions{Reliability: Repaired, Lines: []Dial{{Medium: near, To: far.at}}, Events: sent.add},
		ReceiverOptions{Reliability: Repaired, Lines: []Listen{{Medium: far}}}, nil)
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == 10 && b.send.Drained() })
	near.away = true
	b.publish(10, 64)
	b.until("trouble", func() bool { return sent.count(Trouble) == 1 })
	if s := b.send.Stats(); s.Drops(Unsendable) == 0 {
		t.Error("nothing was counted")
	}
	near.away = false
	b.until("the end of it", func() bool { return sent.count(Recovered) == 1 && len(b.got) == 20 && b.send.Drained() })
	b.verify(1, 20, false)
}

// Datagrams become as small as the path, once for all that were put together before, and what was too large goes again.
func TestMediumThatBecomesSmallerIsFollowed(t *testing.T) {
	for _, rel := range []Reliability{BestEffort, Repaired} {
		var sent events
		near, far := newPipe(0)
		b := newBed(t, SenderOptions{Reliability: rel, Lines: []Dial{{Medium: near, To: far.at}}, Events: sent.add},
			ReceiverOptions{Reliability: rel, Lines: []Listen{{Medium: far}}}, nil)
		b.publish(10, 1000)
		b.until("delivery", func() bool { return len(b.got) == 10 && b.send.Drained() })
		near.room = 700
		for range 10 { // frames that are in parts now, too
			b.publish(3, 300)
			b.publish(1, 1200)
			b.step()
		}
		b.until("trouble, and its end", func() bool { return sent.count(Trouble) == 1 && sent.count(Recovered) == 1 && b.send.Drained() })
		if s := b.send.Stats(); s.Drops(Unsendable) == 0 || b.send.wires[0].room != 700 {
			t.Errorf("%d were refused; datagrams have %d bytes", s.Drops(Unsendable), b.send.wires[0].room)
		}
		b.publish(10, 650)
		b.publish(10, 1300)
		total := uint64(70)
		b.until("delivery", func() bool { return b.got[len(b.got)-1].seq == total })
		b.verify(1, total, rel == BestEffort)
	}
}

// A device that takes nothing any more holds up what is sent, not the look at who is there: its sender says that it reaches nobody, and takes what
// arrives, so that others on the same device get theirs.
func TestMediumThatTakesNothingIsNotAlive(t *testing.T) {
	var sent events
	near, far := newPipe(0)
	b := newBed(t, SenderOptions{Reliability: Repaired, Lines: []Dial{{Medium: near, To: far.at}}, Events: sent.add},
		ReceiverOptions{Reliability: Repaired, Lines: []Listen{{Medium: far}}}, nil)
	b.pass(0)
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == 10 && b.send.Drained() && b.send.standing.heard.Load() == 1 })
	near.stuck = true
	b.publish(10, 64)
	for range 2 * DefaultLiveness / time.Millisecond {
		b.pass(time.Millisecond)
		_, err := b.send.Do()
		must(t, err)
	}
	if rings, heard, lag := b.send.standing.rings.Load(), b.send.standing.heard.Load(), b.send.standing.lag.Load(); rings != 1 || heard != 0 || lag == 0 || sent.count(Disconnected) != 1 {
		t.Errorf("%d rings, %d of them heard of, %d bytes not confirmed; told %v", rings, heard, lag, sent)
	}
	if len(near.queue) != 0 {
		t.Errorf("%d datagrams were not taken", len(near.queue))
	}
	near.stuck = false
	b.until("delivery of all", func() bool { return len(b.got) == 20 && b.send.Drained() })
	b.verify(1, 20, false)
}

// A process may end at any instruction: what a receiver has confirmed is in the mirror by then, also what waited for room there.
func TestWhatIsConfirmedIsSeen(t *testing.T) {
	near, far := newPipe(0)
	b := newBed(t, SenderOptions{Reliability: Repaired, Lines: []Dial{{Medium: near, To: far.at}}},
		ReceiverOptions{Reliability: Repaired, Lines: []Listen{{Medium: far}}, Inbox: netio.InboxOptions{Capacity: 8192}}, nil)
	b.pass(0)
	for i := 0; len(b.recv.all) == 0 || b.recv.all[0].stash.empty(); i++ { // nobody reads the mirror
		if i == 1000 {
			t.Fatal("the mirror never fills")
		}
		b.publish(1, 64)
		b.pass(time.Millisecond)
		_, err := b.send.Do()
		must(t, err)
		_, err = b.recv.Do()
		must(t, err)
	}
	b.poll()
	before := b.recv.all[0].next
	far.placed = nil
	must(t, b.recv.chores(b.recv.clock.now+statusIdle))
	reader, err := b.rings[0].Reader(ring.ReaderOptions{Mode: ring.Lossy}) // behind what can be seen
	must(t, err)
	defer reader.Close()
	confirmed := uint64(0)
	for _, d := range far.placed {
		var h seal.Header
		var s seal.StatusBody
		if must(t, h.Parse(d)); h.Kind == seal.Status {
			must(t, s.Parse(d[seal.HeaderSize:]))
			confirmed = s.Next
		}
	}
	if confirmed <= before || confirmed > reader.Seq() {
		t.Errorf("%d are confirmed and %d can be seen, where %d were due before", confirmed, reader.Seq(), before)
	}
}
