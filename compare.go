package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route"
)

// Comparison is what a channel's first way and its shadow have brought here, of all sources, since the shadow runs.
type Comparison struct {
	Channel   string `json:"channel"`
	Sources   int    `json:"sources"`   // that at least one way brought
	Matched   uint64 `json:"matched"`   // frames that both brought, the same
	Missing   uint64 `json:"missing"`   // frames that the shadow did not bring, or not within the window
	Extra     uint64 `json:"extra"`     // frames that the first way did not bring
	Different uint64 `json:"different"` // frames that are not the same
	Late      uint64 `json:"late"`      // frames that were counted as missing or extra, and came after all
	Unseen    uint64 `json:"unseen"`    // frames of the first way that were overwritten before they were compared
	Pending   int    `json:"pending"`   // frames that one of them has brought just now

	// How long the way that came first was ahead, at worst and in the latest pair. Above zero the shadow came later.
	Behind       time.Duration `json:"behind_ns"`
	BehindMost   time.Duration `json:"behind_most_ns"`
	AheadMost    time.Duration `json:"ahead_most_ns"`
	FirstTrouble string        `json:"first_trouble,omitempty"` // the first frame that was not the same on both
}

const (
	compareWindow = 1 << 12 // frames of a source by which one way may be ahead
	compareBatch  = 256     // records of a reader and Do at most
)

type side uint8

const (
	first  side = iota // the channel's way
	second             // its shadow
)

// print is what is kept of a frame until its twin comes.
type print struct {
	seq, sum uint64
	at       time.Duration
}

// pairing compares two streams of ascending numbers of one source. What the one that is ahead has brought waits in a bounded queue.
type pairing struct {
	wait   []print // a circle of compareWindow
	head   int
	n      int
	ahead  side
	judged uint64 // numbers up to here were given up
	met    bool   // both have brought something
	begin  [2]uint64
}

// tally is what a comparison counts.
type tally struct {
	Comparison
	differs func(what string, seq uint64)
}

func (p *pairing) front() *print { return &p.wait[p.head] }

func (p *pairing) pop() {
	p.head = (p.head + 1) % len(p.wait)
	p.n--
}

// amiss counts a number that only one way brought. A shadow begins somewhere: what comes before both have is nobody's loss.
func (p *pairing) amiss(t *tally, seq uint64, by side) {
	p.judged = max(p.judged, seq)
	if by == first {
		t.Missing++
		t.differs("missing", seq)
		return
	}
	t.Extra++
	t.differs("extra", seq)
}

// bring is the next frame of one way.
func (p *pairing) bring(t *tally, by side, f print) {
	if p.begin[by] == 0 {
		p.begin[by] = f.seq
		p.meet()
	}
	if p.met && f.seq < max(p.begin[first], p.begin[second]) {
		return
	}
	if p.n == 0 || p.ahead == by {
		if p.n == len(p.wait) {
			p.amiss(t, p.front().seq, by)
			p.pop()
		}
		if p.n == 0 && f.seq <= p.judged {
			t.Late++
			return
		}
		p.ahead = by
		p.wait[(p.head+p.n)%len(p.wait)] = f
		p.n++
		return
	}
	for p.n > 0 && p.front().seq < f.seq {
		p.amiss(t, p.front().seq, p.ahead)
		p.pop()
	}
	switch {
	case f.seq <= p.judged:
		t.Late++
	case p.n == 0:
		p.bring(t, by, f)
	case p.front().seq > f.seq:
		p.amiss(t, f.seq, by)
	default:
		p.match(t, by, f)
	}
}

// meet drops what one way brought before the other's beginning.
func (p *pairing) meet() {
	if p.met = p.begin[first] != 0 && p.begin[second] != 0; !p.met {
		return
	}
	for from := max(p.begin[first], p.begin[second]); p.n > 0 && p.front().seq < from; {
		p.pop()
	}
}

func (p *pairing) match(t *tally, by side, f print) {
	was := *p.front()
	p.pop()
	if was.sum != f.sum {
		t.Different++
		t.differs("different", f.seq)
		return
	}
	t.Matched++
	late := f.at - was.at
	if by == first {
		t.AheadMost = max(t.AheadMost, late)
		late = -late
	}
	t.Behind, t.BehindMost = late, max(t.BehindMost, late)
}

// comparison compares what a channel's ways bring to this node. Its Do is the crew's.
type comparison struct {
	began   time.Time
	seed    maphash.Seed
	mirrors *netio.Mirrors // the shadow's: nobody subscribes to them
	tally   tally
	sources map[uint64]*pairing
	streams []*stream
	batch   []ring.Record

	fresh atomic.Bool
	mu    sync.Mutex
	added []*stream
}

// stream is one ring that is compared.
type stream struct {
	reader *ring.Reader
	by     side
	source uint64
	next   uint64 // number that is due; 0: none came yet
}

var _ numa.Worker = (*comparison)(nil)

// newComparison has the shadow's mirrors, whose readers hold only the shadow up.
func newComparison(channel string, capacity int, note func(netio.Note)) (*comparison, error) {
	c := &comparison{began: time.Now(), seed: maphash.MakeSeed(), sources: map[uint64]*pairing{}, batch: make([]ring.Record, compareBatch)}
	c.tally.Channel = channel
	c.tally.differs = func(what string, seq uint64) {
		if c.tally.FirstTrouble == "" {
			c.tally.FirstTrouble = fmt.Sprintf("number %d is %s", seq, what)
			note(netio.Note{Channel: channel, What: "shadow " + what, First: seq, Last: seq})
		}
	}
	var err error
	c.mirrors, err = netio.NewMirrors(netio.InboxOptions{Capacity: capacity, Sources: mirrorsMost, Opened: func(r *ring.Ring) {
		if err := c.attach(r, second); err != nil {
			note(netio.Note{Channel: channel, What: "trouble", Err: fmt.Errorf("shadow: %w", err)})
		}
	}})
	return c, err
}

// attach compares one more ring from now on. It runs on any goroutine.
func (c *comparison) attach(r *ring.Ring, by side) error {
	o := ring.ReaderOptions{Name: "compare", From: ring.Oldest}
	if by == first {
		o.Mode, o.From = ring.Lossy, ring.Now
	}
	reader, err := r.Reader(o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added = append(c.added, &stream{reader: reader, by: by, source: r.Info().Instance})
	c.fresh.Store(true)
	return nil
}

// welcome takes up what was attached.
func (c *comparison) welcome() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.added {
		if c.sources[s.source] == nil {
			c.sources[s.source] = &pairing{wait: make([]print, compareWindow)}
		}
	}
	c.streams, c.added = append(c.streams, c.added...), nil
	c.fresh.Store(false)
}

// Do compares a batch of each ring.
func (c *comparison) Do() (n int, err error) {
	if c.fresh.Load() {
		c.welcome()
	}
	now := time.Since(c.began)
	ended := false
	for _, s := range c.streams {
		k := s.reader.Peek(c.batch)
		from := s.reader.First()
		if k > 0 && s.next != 0 && from > s.next && s.by == first {
			c.tally.Unseen += from - s.next
		}
		p := c.sources[s.source]
		for i, one := range c.batch[:k] {
			p.bring(&c.tally, s.by, print{from + uint64(i), maphash.Bytes(c.seed, one.Payload()) ^ uint64(s.reader.Epoch()), now})
		}
		if k > 0 {
			s.next = from + uint64(k)
			n += k
			_ = s.reader.Release(k) // Err has it
		}
		ended = ended || s.reader.Err() != nil
	}
	if ended { // its ring made room for another's
		c.streams = slices.DeleteFunc(c.streams, func(s *stream) bool { return s.reader.Err() != nil && s.close() == nil })
	}
	return n, nil
}

func (s *stream) close() error { return s.reader.Close() }

// close ends it. Nobody runs it any more, and no way has the mirrors.
func (c *comparison) close() error {
	c.welcome()
	var faults []error
	for _, s := range c.streams {
		faults = append(faults, s.close())
	}
	return errors.Join(append(faults, c.mirrors.Close())...)
}

// compared is a channel's comparison, which begins when it is first asked for.
func (f *fabric) compared(channel string) (*comparison, error) {
	f.comparedMu.Lock()
	defer f.comparedMu.Unlock()
	if c := f.comparisons[channel]; c != nil {
		return c, nil
	}
	c, err := newComparison(channel, f.config.Channels[channel].Capacity, f.note)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, r := range f.brought[channel] {
		if err := c.attach(r, first); !errors.Is(err, ring.ErrClosed) {
			faults = append(faults, err)
		}
	}
	f.comparisons[channel] = c
	return c, errors.Join(faults...)
}

// bring tells of a mirror that a channel's first way has opened.
func (f *fabric) bring(channel string, r *ring.Ring) (err error) {
	f.comparedMu.Lock()
	defer f.comparedMu.Unlock()
	same := func(one *ring.Ring) bool { return one.Info().Instance == r.Info().Instance }
	f.brought[channel] = append(slices.DeleteFunc(f.brought[channel], same), r)
	if c := f.comparisons[channel]; c != nil {
		err = c.attach(r, first)
	}
	return err
}

// dismiss ends comparisons of channels that no node shadows to here.
func (f *fabric) dismiss(l *layout) error {
	wanted := map[string]bool{}
	l.between(func(_ *route.ChannelPlan, d *route.Decision, _ string, sends bool) {
		_, ok := protocolOf(d.Shadow)
		wanted[d.Channel] = wanted[d.Channel] || ok && !sends
	})
	var gone []*comparison
	f.comparedMu.Lock()
	for channel, c := range f.comparisons {
		if !wanted[channel] {
			gone = append(gone, c)
			delete(f.comparisons, channel)
		}
	}
	f.comparedMu.Unlock()
	f.recrew()
	var faults []error
	for _, c := range gone {
		faults = append(faults, c.close())
	}
	return errors.Join(faults...)
}

// recrew tells the loop of shadows whom to run. Without any there is none.
func (f *fabric) recrew() {
	var all []numa.Worker
	for _, b := range f.besides {
		for _, t := range b.twins {
			if t.carried {
				all = append(all, t)
			}
		}
	}
	f.comparedMu.Lock()
	for _, c := range f.comparisons {
		all = append(all, c)
	}
	f.comparedMu.Unlock()
	if f.crew == nil {
		if len(all) == 0 {
			return
		}
		f.crew = netio.NewCrew(numa.Loop{Name: "shadow"}, func(_ numa.Worker, err error) {
			f.note(netio.Note{What: "trouble", Err: fmt.Errorf("shadow: %w", err)})
		})
	}
	f.crew.Set(all)
}

// between runs fn while nobody works for shadows; until something is carried there is no crew.
func (f *fabric) between(fn func()) {
	if f.crew == nil {
		fn()
		return
	}
	f.crew.Between(fn)
}

// Comparisons says what the shadows of channels have brought here beside their first ways. It is empty where there are none.
func (n *Node) Comparisons(ctx context.Context) (all []Comparison, err error) {
	f := n.fabric
	if f == nil {
		return nil, nil
	}
	err = f.call(ctx, func() {
		f.comparedMu.Lock()
		defer f.comparedMu.Unlock()
		for _, c := range f.comparisons {
			f.between(func() { all = append(all, c.state()) })
		}
	})
	slices.SortFunc(all, func(a, b Comparison) int { return cmp.Compare(a.Channel, b.Channel) })
	return all, err
}

func (c *comparison) state() Comparison {
	s := c.tally.Comparison
	s.Sources = len(c.sources)
	for _, p := range c.sources {
		s.Pending += p.n
	}
	return s
}
