package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// Words of the ledger of a storm, by byte.
const (
	wordCommitted = 0  // the writers': all up to this seq is committed
	wordAttempted = 8  // and none beyond this one was tried
	wordEpoch     = 16 // of the last writer
	wordStop      = 24 // the supervisor's: 1 no more records, 2 all are written
	wordSkipped   = 32 // the lossy reader's: how many it was told it lost
	wordReleasing = 64 // the durable reader's: what it is about to release up to,
	wordReleased  = 72 // and what it has
	wordDelivered = 80 // and what it has seen whole
)

const durableName = "keeper"

// Points that each role of a storm passes, in the order of the code.
var (
	writerPoints = []string{
		"resume.locked", "resume.fence", "resume.marks", "resume.zero", "resume.epoch", "published", "wake", "resumed",
		"mark.open", "mark", "limit", "control", "granted",
		"zeroed", "prepared", "committed", "staged", "filling", "flush", "flushed", "wake.seen", "wake",
	}
	rarePoints = []string{"reap.locked", "evict.gen", "evicted"} // only where a gating reader died and the ring is full of it
	gatePoints = []string{
		"attach.slot", "attach.name", "attach.described", "attach.life", "attach.cursor", "attach.gate", "attached",
		"peek", "release.seq", "release", "skip", "armed", "detach.gate",
	}
	durablePoints = []string{
		"attach.slot", "attach.name", "attach.described", "adopt", "adopted", "peek", "release.seq", "release", "skip", "armed",
	}
	lossyPoints = []string{"attach.slot", "attach.name", "attach.described", "attach.life", "attach.cursor", "attached", "armed", "detach.state"}
)

func init() {
	roles["storm.writer"] = stormWriter
	roles["storm.reader"] = stormReader
}

// stormWriter appends records in every way there is until it is killed, or told to stop.
func stormWriter(p part) error {
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	r, err := p.ring()
	if err != nil {
		return err
	}
	w, err := r.Writer()
	if err != nil {
		return err
	}
	committed, attempted := ledger.Load64(wordCommitted), ledger.Load64(wordAttempted)
	if w.Seq() <= committed || w.Seq() > attempted+1 {
		return fmt.Errorf("goes on at seq %d after %d were committed and %d tried", w.Seq(), committed, attempted)
	}
	if before := ledger.Load64(wordEpoch); w.Epoch() <= before {
		return fmt.Errorf("epoch %d after %d", w.Epoch(), before)
	}
	ledger.Store64(wordEpoch, w.Epoch())
	w.SetStamp(p.Life)
	s := storm{part: p, ledger: ledger.Mem, w: w, rng: rand.New(rand.NewPCG(uint64(p.Seed), p.Life)), keeper: keeper(r)}
	for n := 0; ledger.Load64(wordStop) == 0; n++ {
		if err := s.step(); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
		ledger.Store64(wordCommitted, w.Seq()-1)
	}
	return errors.Join(w.Close(), r.Close())
}

// keeper returns the slot of the durable reader, without which there is no storm.
func keeper(r *Ring) sys.Mem {
	for i := range MaxReaders {
		if r.slotNamed(i) == durableName && r.slot(i).Load32(slotState)&stateDurable != 0 {
			return r.slot(i)
		}
	}
	panic("no slot of the durable reader")
}

type storm struct {
	part
	ledger sys.Mem
	w      *Writer
	rng    *rand.Rand
	keeper sys.Mem
}

// step commits something, in one of five ways.
func (s *storm) step() error {
	// A durable reader that is being replaced must not be what the ring is full of: it would be evicted.
	if !comes(patience, func() bool { return s.w.Position()-s.keeper.Load64(slotCursor) < s.w.capacity/2 }) {
		return errors.New("the durable reader stands still")
	}
	switch s.rng.IntN(5) {
	case 0, 1:
		return s.one(s.w.Commit)
	case 2:
		for range 1 + s.rng.IntN(6) {
			if err := s.one(s.w.Stage); err != nil {
				return err
			}
		}
		s.w.Flush()
	case 3:
		return s.many()
	case 4:
		if _, err := s.claim(s.size()); err != nil {
			return err
		}
		s.w.Abort()
	}
	return nil
}

func (s *storm) size() int {
	if s.rng.IntN(50) == 0 {
		return s.w.MaxPayload()
	}
	return crashLeast + s.rng.IntN(300)
}

func (s *storm) one(publish func(int) error) error {
	n := s.size()
	b, err := s.claim(n + s.rng.IntN(s.w.MaxPayload()-n+1))
	if err != nil {
		return err
	}
	s.ledger.Store64(wordAttempted, s.w.Seq())
	fillCrash(b[:n], s.w.Seq(), s.Life)
	return publish(n)
}

func (s *storm) many() error {
	var batch *Batch
	n, most := crashLeast+s.rng.IntN(300), 1+s.rng.IntN(8)
	_, err := s.untilRoom(func() (_ int, err error) {
		batch, err = s.w.ClaimBatch(n, most)
		return 0, err
	})
	if err != nil {
		return err
	}
	k := 1 + s.rng.IntN(batch.Len())
	s.ledger.Store64(wordAttempted, s.w.Seq()+uint64(k)-1)
	for i := range k {
		fillCrash(batch.At(i), s.w.Seq()+uint64(i), s.Life)
		if check.On {
			check.Point("filling")
		}
	}
	return s.w.CommitBatch(k)
}

func (s *storm) claim(n int) (b []byte, err error) {
	_, err = s.untilRoom(func() (int, error) {
		b, err = s.w.Claim(n)
		return n, err
	})
	return b, err
}

// untilRoom tries again while the ring is full: a dead reader must not keep it so.
func (s *storm) untilRoom(try func() (int, error)) (n int, err error) {
	if !comes(patience, func() bool {
		for range reapEvery {
			if n, err = try(); !errors.Is(err, ErrFull) {
				return true
			}
			runtime.Gosched()
		}
		return false
	}) {
		slowest, _ := s.w.Slowest()
		return 0, fmt.Errorf("full for %v because of %v", patience, slowest)
	}
	return n, err
}

// stormReader reads what the writers write and holds it to what they are allowed to.
func stormReader(p part) error {
	ledger, err := openLedger(p.Ledger)
	if err != nil {
		return err
	}
	r, err := p.ring()
	if err != nil {
		return err
	}
	o := ReaderOptions{Mode: p.Mode, Name: p.Name, Durable: p.Name == durableName, From: From(p.Life % 2)}
	if o.Durable {
		o.From = Oldest
	}
	rng := rand.New(rand.NewPCG(uint64(p.Seed), p.Life))
	for {
		g := gatherer{part: p, ledger: ledger.Mem, batch: make([]Record, 1+rng.IntN(64))}
		if g.r, err = attachSoon(r, o); err != nil {
			return err
		}
		again, err := g.gather(rng)
		if err != nil {
			return fmt.Errorf("at seq %d, position %d: %w", g.r.Seq(), g.r.Position(), err)
		}
		if err := g.r.Close(); err != nil {
			return err
		}
		if !again {
			return r.Close()
		}
	}
}

// attachSoon tries again when a writer is just looking whether the former owner of the slot is dead.
func attachSoon(r *Ring, o ReaderOptions) (rd *Reader, err error) {
	comes(patience, func() bool {
		rd, err = r.Reader(o)
		return !errors.Is(err, ErrOwned)
	})
	return rd, err
}

type gatherer struct {
	part
	ledger sys.Mem
	r      *Reader
	batch  []Record
	next   uint64 // the seq that must come
	lost   uint64
	epoch  uint64
	life   uint64
}

// gather reads until all is read (again is false), or until it is time to attach anew.
func (g *gatherer) gather(rng *rand.Rand) (again bool, err error) {
	g.next, g.lost = g.r.Seq(), g.r.Lost()
	durable := g.Name == durableName
	if durable {
		released, releasing := g.ledger.Load64(wordReleased), g.ledger.Load64(wordReleasing)
		if g.next != released+1 && g.next != releasing+1 || g.lost != 0 {
			return false, fmt.Errorf("adopted at %d (lost %d), released were %d, or %d", g.next, g.lost, released, releasing)
		}
	}
	for round := 0; durable || round < 2000; round++ {
		n := g.r.Peek(g.batch)
		if err := g.r.Err(); err != nil {
			return false, err
		}
		if n == 0 {
			done, err := g.wait()
			if done || err != nil {
				return false, err
			}
			continue
		}
		if err := g.verify(n); err != nil {
			return false, err
		}
		if err := g.release(rng.IntN(n + 1)); err != nil {
			return false, err
		}
		if err := g.release(g.r.out); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (g *gatherer) verify(n int) error {
	if g.Mode == Lossy {
		g.ledger.Store64(wordSkipped, g.ledger.Load64(wordSkipped)+g.r.Lost()-g.lost)
		g.next += g.r.Lost() - g.lost
		g.lost = g.r.Lost()
	}
	if g.r.First() != g.next || g.r.Lost() != g.lost {
		return fmt.Errorf("record %d after %d, lost %d", g.r.First(), g.next-1, g.r.Lost())
	}
	if g.r.Epoch() < g.epoch {
		return fmt.Errorf("epoch %d after %d", g.r.Epoch(), g.epoch)
	}
	g.epoch = g.r.Epoch()
	for _, rec := range g.batch[:n] {
		life, err := checkCrash(rec, g.next)
		switch {
		case err != nil:
			return err
		case life < g.life:
			return fmt.Errorf("record %d of life %d after one of life %d", g.next, life, g.life)
		case g.next > g.ledger.Load64(wordAttempted):
			return fmt.Errorf("record %d, which nobody wrote", g.next)
		}
		g.life = life
		g.next++
	}
	if g.Name == durableName {
		g.ledger.Store64(wordDelivered, max(g.ledger.Load64(wordDelivered), g.next-1))
	}
	return nil
}

func (g *gatherer) release(n int) error {
	upto := g.next - 1 - uint64(g.r.out-n)
	if g.Name == durableName {
		g.ledger.Store64(wordReleasing, upto)
	}
	if err := g.r.Release(n); err != nil {
		return err
	}
	if g.Name == durableName {
		g.ledger.Store64(wordReleased, upto)
	}
	return nil
}

// wait sleeps until there is more. It reports done when there will be none.
func (g *gatherer) wait() (done bool, err error) {
	word, value, ok := g.r.Arm()
	if !ok {
		return false, g.r.Err()
	}
	if g.ledger.Load64(wordStop) == 2 && g.r.Seq() == g.ledger.Load64(wordCommitted)+1 {
		return true, nil
	}
	began := time.Now()
	if err := sys.FutexWait(word, value, patience); err != nil {
		return false, err
	}
	if time.Since(began) >= patience {
		return false, fmt.Errorf("slept %v, committed are %d", patience, g.ledger.Load64(wordCommitted))
	}
	return false, nil
}

// keeping keeps one role of a storm alive, and has its processes killed.
type keeping struct {
	role   string
	name   string
	mode   Mode
	points []string
}

// supervisor runs a storm until so many processes were killed.
type supervisor struct {
	t      *testing.T
	path   string
	ledger string
	seed   int64
	want   int64
	kills  atomic.Int64
	broken atomic.Bool
	mu     sync.Mutex
	at     map[string]int // kills by role and point
}

// TestKilledProcessesAreReplacedAndNothingCommittedIsLost kills a writer and its readers at every point of what they do,
// and from outside where they are not labelled. What was committed is seen in order, whole, and exactly once per
// release; nobody waits for the dead.
func TestKilledProcessesAreReplacedAndNothingCommittedIsLost(t *testing.T) {
	r := crashRing(t, Options{Capacity: 64 << 10})
	ledger, ledgerPath := newLedger(t)
	s := &supervisor{t: t, path: r.opts.Path, ledger: ledgerPath, seed: crashSeed(t), want: int64(crashCount(1000)), at: map[string]int{}}

	// The durable reader's slot must exist before the first record, or nothing is owed to it.
	rd, err := r.Reader(ReaderOptions{Name: durableName, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := rd.Close(); err != nil {
		t.Fatal(err)
	}
	all := []keeping{
		{"storm.writer", "", Gate, append(slices.Clone(writerPoints), rarePoints...)},
		{"storm.reader", durableName, Gate, durablePoints},
		{"storm.reader", "passer-by", Gate, gatePoints},
		{"storm.reader", "", Lossy, lossyPoints},
	}
	last := make([]*child, len(all))
	var wg sync.WaitGroup
	for i, k := range all {
		wg.Go(func() { last[i] = s.keep(k) })
	}
	wg.Wait()
	if s.broken.Load() {
		return
	}
	before := ledger.Load64(wordCommitted)
	soon(t, "the writer goes on", func() bool { return ledger.Load64(wordCommitted) > before+1000 || ended(last[0]) })
	ledger.Store64(wordStop, 1)
	if err := last[0].ended(); err != nil {
		t.Fatal(err)
	}
	ledger.Store64(wordStop, 2)
	// A takeover wakes whoever sleeps.
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all[1:] {
		if err := last[1+i].ended(); err != nil {
			t.Error(err)
		}
	}
	committed := ledger.Load64(wordCommitted)
	if w.Seq() != committed+1 || ledger.Load64(wordDelivered) != committed || ledger.Load64(wordReleased) != committed {
		t.Errorf("%d committed, ring says %d, delivered %d, released %d", committed, w.Seq()-1,
			ledger.Load64(wordDelivered), ledger.Load64(wordReleased))
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	s.report(all)
	t.Logf("%d processes killed; %d records committed, the lossy reader missed %d", s.kills.Load(), committed, ledger.Load64(wordSkipped))
}

func ended(c *child) bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// keep runs one process of a role after the other and returns the last, which is not killed.
func (s *supervisor) keep(k keeping) *child {
	rng := rand.New(rand.NewPCG(uint64(s.seed), uint64(len(k.points))))
	for life := uint64(1); ; life++ {
		p := part{Role: k.role, Path: s.path, Ledger: s.ledger, Seed: s.seed, Life: life, Mode: k.mode, Name: k.name}
		last := s.kills.Load() >= s.want || s.broken.Load()
		patient := time.Duration(1+rng.IntN(60)) * time.Millisecond
		if check.On {
			p.Point = k.points[int(life-1)%len(k.points)]
			p.Pass = 1 + int64(rng.ExpFloat64()*float64(life/uint64(len(k.points))%4)*20)
			patient = 200 * time.Millisecond
		}
		if last {
			p.Point = ""
		}
		c, err := launchChild(s.t, p)
		if err != nil {
			s.t.Error(err)
			s.broken.Store(true)
			return nil
		}
		if last {
			return c
		}
		point := p.Point
		select {
		case <-c.done:
		case <-time.After(patient):
			point = "anywhere"
			c.kill()
			<-c.done
		}
		if !c.killed() {
			s.broken.Store(true)
			s.t.Errorf("%s %s, life %d (to be killed at %q, passing %d): %v", k.role, k.name, life, p.Point, p.Pass, c.ended())
			return nil
		}
		s.kills.Add(1)
		s.mu.Lock()
		s.at[k.role+" "+k.name+" "+point]++
		s.mu.Unlock()
	}
}

// report says how many died where; in a whole storm each point must have its dead.
func (s *supervisor) report(all []keeping) {
	for _, k := range all {
		for _, point := range append([]string{"anywhere"}, slices.Compact(slices.Sorted(slices.Values(k.points)))...) {
			n := s.at[k.role+" "+k.name+" "+point]
			s.t.Logf("%4d  %s %s %s", n, k.role, k.name, point)
			if n == 0 && check.On && s.want >= 1000 && point != "anywhere" && !slices.Contains(rarePoints, point) {
				s.t.Errorf("nobody was killed at %s of %s %s", point, k.role, k.name)
			}
		}
	}
}
