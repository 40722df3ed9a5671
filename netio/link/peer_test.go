package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// pair is the options of two nodes: the one sends in channels that the other takes.
func pair(s *sinks, inbox netio.InboxOptions, r Reliability, names ...string) (a, b Options) {
	a, b = Options{Node: "a", Peer: "b", Start: 1}, Options{Node: "b", Peer: "a", Start: 1}
	for _, name := range names {
		c := Contract{Name: name, Reliability: r, Largest: largestOf(inbox.Capacity)}
		out, in := c, c
		out.Sends, in.Takes = true, true
		a.Channels = append(a.Channels, Channel{Contract: out, From: ring.Oldest})
		b.Channels = append(b.Channels, Channel{Contract: in, Inbox: s.inbox(inbox)})
	}
	return a, b
}

func newSinks(t testing.TB) *sinks { return &sinks{t: t, all: map[uint64]*sink{}} }

func TestFramesArriveOnceAndInOrder(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 16}, Reliable, "ticks")
	d := newBed(t, 1, a, b)
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	const n = 5000
	d.until("all arrive", func() bool {
		for one.next <= n && one.publish(8+int(one.next%90)) {
		}
		for _, k := range s.all {
			k.drain(50)
		}
		return len(s.all) == 1 && s.all[one.ring.Info().Instance].got == n
	})
	d.until("all is confirmed", d.a.Drained)
	if st := d.b.Stats(); st.FramesIn != n || st.Dropped != [reasons]uint64{} {
		t.Errorf("%+v", st)
	}
}

// The conversation goes on wherever a connection ended: at every byte.
func TestConnectionsCutAtAnyByteLoseNothing(t *testing.T) {
	for _, r := range []Reliability{Reliable, BestEffort} {
		t.Run(r.String(), func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			for i := range scaled(400) {
				cutOnce(t, r, seed+uint64(i), 1+i*17)
			}
		})
	}
}

func cutOnce(t *testing.T, r Reliability, seed uint64, at int) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, r, "ticks")
	d := newBed(t, seed, a, b)
	d.whole = seed%3 == 0
	one := newSource(t, ring.Options{Capacity: 1 << 15})
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	d.cutAt = at
	const n = 150
	d.until("all are sent", func() bool {
		if !d.up {
			d.connect()
		}
		for one.next <= n && d.rand.IntN(4) != 0 && one.publish(8+d.rand.IntN(1200)) {
		}
		for _, k := range s.all {
			k.drain(d.rand.IntN(30))
		}
		return one.next > n && d.a.Drained() && len(d.ab.bytes) == 0 && len(d.inB) == 0
	})
	k := s.all[one.ring.Info().Instance]
	k.drain(n)
	if lost := int(k.reader.Lost()); r == Reliable && k.got != n || k.got+lost > n {
		t.Fatalf("cut at %d: %d of %d arrived, %d lost; %+v %+v", at, k.got, n, lost, d.a.Stats(), d.b.Stats())
	}
	if len(d.errs) > 0 && !strings.Contains(fmt.Sprint(d.errs), "cut") {
		t.Fatal(d.errs)
	}
}

// A storm of cuts, restarts of either node, slow subscribers, several sources and frames of all sizes, from a seed.
func TestStormKeepsEverySourceWhole(t *testing.T) {
	for i := range scaled(60) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Log("seed", seed)
			storm(t, seed)
		})
	}
}

func storm(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	dir := t.TempDir()
	s := newSinks(t)
	names := []string{"ticks", "orders", "logs"}
	inbox := netio.InboxOptions{Capacity: 1 << (13 + rnd.IntN(6)), Dir: filepath.Join(dir, "mirrors")}
	must(t, os.MkdirAll(inbox.Dir, 0o700))
	var a, b Options
	a, b = pair(s, inbox, Reliable, names...)
	for i := range b.Channels {
		b.Channels[i].Inbox.Dir = filepath.Join(inbox.Dir, names[i])
		must(t, os.MkdirAll(b.Channels[i].Inbox.Dir, 0o700))
	}
	d := newBed(t, seed, a, b)
	d.room = 1 << (8 + rnd.IntN(12))
	largest := largestOf(inbox.Capacity)
	var all []*source
	channels := map[*source]string{}
	for i := range 1 + rnd.IntN(4) {
		one := newSource(t, ring.Options{Capacity: max(inbox.Capacity, 1<<14), Path: filepath.Join(dir, fmt.Sprint(i, ".ring"))})
		all = append(all, one)
		channels[one] = names[rnd.IntN(len(names))]
		must(t, d.a.Add(channels[one], one.ring))
	}
	n := uint64(100 + rnd.IntN(400))
	done := func() bool {
		for _, one := range all {
			if k := s.all[one.ring.Info().Instance]; one.next <= n || k == nil || k.next <= n {
				return false
			}
		}
		return d.a.Drained()
	}
	d.until("all arrive", func() bool {
		switch rnd.IntN(300) {
		case 0:
			d.cut(errors.New("cut"))
		case 1: // the sender's process restarts
			d.cut(errors.New("killed"))
			must(t, d.a.Close())
			a.Events = d.a.options.Events
			var err error
			d.a, err = NewPeer(a)
			must(t, err)
			for _, one := range all {
				must(t, d.a.Add(channels[one], one.ring))
			}
		case 2: // the receiver's does
			d.cut(errors.New("killed"))
			for _, k := range s.all {
				if k.reader.Err() == nil { // else it is killed before it has come to anything
					k.drain(1 << 30)
					must(t, k.reader.Close())
				}
			}
			must(t, d.b.Close())
			b.Events = d.a.options.Events
			var err error
			d.b, err = NewPeer(b)
			must(t, err)
		case 3: // a ring changes hands, and comes back
			one := all[rnd.IntN(len(all))]
			if had, err := d.a.Remove(channels[one], one.ring); !had || err != nil {
				t.Fatal(had, err)
			}
			must(t, d.a.Add(channels[one], one.ring))
		case 4:
			d.now += 400 * time.Millisecond // nobody was run
		}
		if !d.up && rnd.IntN(3) == 0 {
			d.connect()
		}
		for _, one := range all {
			for one.next <= n && rnd.IntN(3) != 0 && one.publish(8+size(rnd, largest-8)) {
			}
		}
		if rnd.IntN(4) == 0 {
			for source, k := range s.all {
				if source%5 != uint64(rnd.IntN(5)) && k.reader.Err() == nil {
					k.drain(rnd.IntN(40))
				}
			}
		}
		return done()
	})
	for _, err := range d.errs {
		if errors.Is(err, ErrProtocol) || errors.Is(err, ErrGreeting) {
			t.Fatal(err)
		}
	}
	for _, p := range []*Peer{d.a, d.b} {
		if st := p.Stats(); st.LostIn != 0 || st.Drops(Malformed) != 0 {
			t.Fatalf("%+v", st)
		}
	}
}

// size is mostly small, sometimes as large as it gets.
func size(r *rand.Rand, most int) int {
	if r.IntN(20) == 0 {
		return 1 + r.IntN(most)
	}
	return 1 + r.IntN(min(most, 200))
}

func TestASlowSubscriberHurtsOnlyItsOwnChannel(t *testing.T) {
	s := newSinks(t)
	const channels = 64
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprint("c", i))
	}
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, Reliable, names...)
	d := newBed(t, 7, a, b)
	var all []*source
	for _, name := range names {
		one := newSource(t, ring.Options{Capacity: 1 << 14})
		must(t, d.a.Add(name, one.ring))
		all = append(all, one)
	}
	d.connect()
	stopped := all[5].ring.Info().Instance
	const n = 2000
	d.until("all others arrive", func() bool {
		whole := 0
		for _, one := range all {
			for one.next <= n && one.publish(60) {
			}
			if k := s.all[one.ring.Info().Instance]; k != nil && one.ring.Info().Instance != stopped {
				if k.drain(1 << 20); k.got == n {
					whole++
				}
			}
		}
		return whole == channels-1
	})
	if all[5].next > n {
		t.Fatal("the stopped one was never full")
	}
	k := s.all[stopped]
	d.until("the stopped one goes on", func() bool {
		for all[5].next <= n && all[5].publish(60) {
		}
		k.drain(10)
		return k.got == n
	})
	if st := d.b.Stats(); st.Dropped != [reasons]uint64{} {
		t.Errorf("credit was not kept: %+v", st)
	}
}

func TestFramesLargerThanAnEnvelopeTravelInParts(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{Capacity: 4 << 20}, Reliable, "books")
	d := newBed(t, 3, a, b)
	one := newSource(t, ring.Options{Capacity: 4 << 20})
	must(t, d.a.Add("books", one.ring))
	d.connect()
	sizes := []int{100, largestOf(4 << 20), 70_000, 8, 65_457, 65_456, 65_460, 300_001, 500_000, 9}
	d.until("all arrive", func() bool {
		for one.next <= uint64(len(sizes)) && one.publish(sizes[one.next-1]) {
		}
		for _, k := range s.all {
			k.drain(1)
		}
		return len(s.all) == 1 && s.all[one.ring.Info().Instance].got == len(sizes)
	})
}

// What the ring does not hold any more is said to be lost, and counted by who reads the mirror.
func TestWhatIsGoneIsSaidToBeLost(t *testing.T) {
	s := newSinks(t)
	dir := t.TempDir()
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, Reliable, "ticks")
	d := newBed(t, 3, a, b)
	one := newSource(t, ring.Options{Capacity: 1 << 14, Path: filepath.Join(dir, "one.ring")})
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	for range 10 {
		one.publish(100)
	}
	instance := one.ring.Info().Instance
	d.until("some arrive", func() bool { return s.all[instance] != nil && d.a.Drained() })
	d.cut(errors.New("cut"))
	had, err := d.a.Remove("ticks", one.ring)
	if !had || err != nil {
		t.Fatal(had, err)
	}
	dead, err := one.ring.Reader(ring.ReaderOptions{Name: d.a.options.Name, Durable: true})
	must(t, err)
	must(t, dead.Close()) // the place gates on, until the ring is full of it
	for one.next < 1000 {
		if !one.publish(100) {
			continue
		}
	}
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	k := s.all[instance]
	d.until("the rest arrives", func() bool { k.drain(1000); return k.next == one.next })
	if got := uint64(k.got) + k.reader.Lost(); got != one.next-1 || k.reader.Lost() == 0 || d.b.Stats().LostIn != k.reader.Lost() || d.a.Stats().LostOut != k.reader.Lost() {
		t.Errorf("%d arrived, %d lost of %d; %+v", k.got, k.reader.Lost(), one.next-1, d.b.Stats())
	}
	if d.count(Gap) != 1 {
		t.Errorf("%d gaps", d.count(Gap))
	}
}

// A reader that attaches far behind takes room that was promised: the sender goes back, and nothing is lost.
func TestPromisedRoomThatIsGoneMakesTheSenderGoBack(t *testing.T) {
	s := newSinks(t)
	s.mode = ring.Lossy
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, Reliable, "ticks")
	var mirror *ring.Ring
	opened := b.Channels[0].Inbox.Opened
	b.Channels[0].Inbox.Opened = func(r *ring.Ring) { mirror = r; opened(r) }
	d := newBed(t, 3, a, b)
	d.whole = true
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, d.a.Add("ticks", one.ring))
	for range 100 {
		one.publish(100)
	}
	d.connect()
	d.until("the first arrive", func() bool { return d.b.Stats().FramesIn == 100 && d.a.Drained() })
	reader, err := mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	must(t, err)
	defer func() { must(t, reader.Close()) }()
	for one.publish(100) {
	}
	d.until("the promise is broken", func() bool { return d.b.Stats().Drops(Ahead) > 0 })
	k := &sink{t: t, reader: reader}
	d.until("all arrive", func() bool { k.drain(20); return k.next == one.next })
	if k.got != int(one.next)-1 || reader.Lost() != 0 || d.a.Stats().Rewinds == 0 {
		t.Errorf("%d of %d, %d lost, %+v", k.got, one.next-1, reader.Lost(), d.a.Stats())
	}
}

func TestAnEmptyConversationEndsInTime(t *testing.T) {
	a, b := pair(newSinks(t), netio.InboxOptions{}, Reliable, "ticks")
	t.Run("silent", func(t *testing.T) {
		d := newBed(t, 1, a, b)
		d.connect()
		d.until("both greet", func() bool { _, ok := d.a.Greeted(); _, ok2 := d.b.Greeted(); return ok && ok2 })
		for end := d.now + 10*DefaultLiveness; d.now < end; {
			d.step()
		}
		if len(d.errs) > 0 || d.count(Disconnected) > 0 {
			t.Fatal("a quiet line is taken for a dead one", d.errs)
		}
		began := d.now
		for len(d.errs) == 0 { // the other side says nothing more
			d.now += 100 * time.Microsecond
			if pieces, err := d.a.Fill(d.now); err != nil {
				d.errs = append(d.errs, err)
			} else {
				for _, p := range pieces {
					d.a.Sent(len(p))
				}
			}
		}
		if took := d.now - began; !errors.Is(d.errs[0], ErrSilent) || took > DefaultLiveness+DefaultHeartbeat || took < DefaultLiveness/2 {
			t.Error(d.errs[0], took)
		}
	})
	t.Run("slow", func(t *testing.T) {
		d := newBed(t, 1, a, b)
		d.a.Open(0)
		half := d.b.greeting[:len(d.b.greeting)/2]
		if n, _, err := d.a.Take(0, half); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		for d.now = 0; ; d.now += time.Millisecond {
			if _, err := d.a.Fill(d.now); err != nil {
				if !errors.Is(err, ErrSlow) || d.now > DefaultPatience+time.Millisecond {
					t.Error(err, d.now)
				}
				break
			}
		}
	})
}

func TestAStrangerIsRefused(t *testing.T) {
	a, b := pair(newSinks(t), netio.InboxOptions{}, Reliable, "ticks")
	b.Node = "c"
	d := newBed(t, 1, a, b)
	d.connect()
	d.until("it is refused", func() bool { return len(d.errs) > 0 })
	if err := d.errs[0]; !errors.Is(err, ErrStranger) || !strings.Contains(err.Error(), `"c"`) {
		t.Error(err)
	}
}

func TestAChannelThatDiffersIsRefusedAndTheOthersFlow(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{}, Reliable, "ticks", "orders", "logs")
	b.Channels[1].Domain = "execution"
	b.Channels = b.Channels[:2]
	d := newBed(t, 1, a, b)
	for _, name := range []string{"ticks", "orders", "logs"} {
		one := newSource(t, ring.Options{})
		must(t, d.a.Add(name, one.ring))
		one.publish(50)
	}
	d.connect()
	d.until("what agrees flows", func() bool { return d.b.Stats().FramesIn == 1 })
	for end := d.now + time.Second; d.now < end; {
		d.step()
	}
	said := ""
	for _, e := range d.events {
		if e.Kind == Refused {
			said += fmt.Sprintln(e.Node, e.Channel, e.Err)
		}
	}
	for _, want := range []string{`domain: here "", there "execution"`, `domain: here "execution", there ""`, `"b" has no channel "logs"`} {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %s", said, want)
		}
	}
	if d.b.Stats().FramesIn != 1 || !d.a.Flows("ticks") || d.a.Flows("orders") || d.count(Refused) != 3 {
		t.Errorf("%d frames, %d refused", d.b.Stats().FramesIn, d.count(Refused))
	}
}

func TestClocksAreCompared(t *testing.T) {
	a, b := pair(newSinks(t), netio.InboxOptions{}, Reliable, "ticks")
	d := newBed(t, 1, a, b)
	d.connect()
	d.until("beats have gone both ways", func() bool { _, _, ok := d.a.Way(); _, _, ok2 := d.b.Way(); return ok && ok2 && d.now > time.Second })
	for _, p := range []*Peer{d.a, d.b} {
		if trip, offset, _ := p.Way(); trip < 0 || trip > 5*time.Millisecond || offset.Abs() > trip {
			t.Errorf("a round trip of %s, clocks %s apart", trip, offset)
		}
	}
}

func TestBestEffortHoldsNobodyWithoutAConnection(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, BestEffort, "ticks")
	d := newBed(t, 1, a, b)
	one := newSource(t, ring.Options{Capacity: 1 << 14})
	must(t, d.a.Add("ticks", one.ring))
	for end := d.now + time.Second; d.now < end; d.step() {
		one.publish(200)
	}
	if one.next < 1000 || d.a.Stats().Drops(Unsent) == 0 {
		t.Errorf("%d published, %+v", one.next, d.a.Stats())
	}
	d.connect()
	d.until("what is new arrives", func() bool {
		one.publish(200)
		for _, k := range s.all {
			k.drain(100)
		}
		return d.b.Stats().FramesIn > 100
	})
}

func TestSteadyConversationAllocatesNothing(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{}, Reliable, "ticks")
	a.Events, b.Events = nil, nil
	d := newBed(t, 1, a, b)
	one := newSource(t, ring.Options{})
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	d.until("it flows", func() bool { one.publish(64); return d.b.Stats().FramesIn > 0 })
	k := s.all[one.ring.Info().Instance]
	k.drain(1 << 20)
	buf := make([]byte, 0, 1<<20)
	batch := make([]ring.Record, 512)
	msg := make([]byte, 64)
	move := func(from, to *Peer) {
		buf = buf[:0]
		pieces, err := from.Fill(d.now)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range pieces {
			buf = append(buf, p...)
			n += len(p)
		}
		if n > 0 {
			from.Sent(n)
		}
		if taken, _, err := to.Take(d.now, buf); taken != n || err != nil {
			t.Fatal(taken, n, err)
		}
	}
	for range 20 { // what was under way
		d.now += time.Millisecond
		d.until("nothing is under way", func() bool { return len(d.ab.bytes)+len(d.ba.bytes)+len(d.inA)+len(d.inB) == 0 })
	}
	before := d.b.Stats().FramesIn
	if n := testing.AllocsPerRun(1000, func() {
		for range 100 {
			p, _ := one.writer.Claim(64)
			copy(p, msg)
			_ = one.writer.Commit(64)
		}
		d.now += 50 * time.Microsecond
		move(d.a, d.b)
		move(d.b, d.a)
		for n := k.reader.Peek(batch); n > 0; n = k.reader.Peek(batch) {
			_ = k.reader.Release(n)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := d.b.Stats().FramesIn - before; got < 100_000 {
		t.Errorf("%d frames", got)
	}
}

// A mirror's file that is behind what the sender has released counts what is missing, and does not begin anew in silence.
func TestAMirrorThatIsBehindLearnsWhatItMissed(t *testing.T) {
	s := newSinks(t)
	a, b := pair(s, netio.InboxOptions{Capacity: 1 << 14}, Reliable, "ticks")
	d := newBed(t, 3, a, b)
	one := newSource(t, ring.Options{Capacity: 1 << 14})
	must(t, d.a.Add("ticks", one.ring))
	d.connect()
	for range 10 {
		one.publish(100)
	}
	d.until("they arrive", func() bool { return d.b.Stats().FramesIn == 10 && d.a.Drained() })
	d.cut(errors.New("killed"))
	must(t, d.b.Close())
	for _, k := range s.all {
		must(t, k.reader.Close())
	}
	old := netio.InboxOptions{Capacity: 1 << 14, Dir: t.TempDir()}
	inbox, err := netio.NewInbox(old)
	must(t, err)
	_, err = inbox.Open(one.ring.Info().Instance, 4) // it had three
	must(t, err)
	must(t, inbox.Close())
	s = newSinks(t)
	b.Channels[0].Inbox = s.inbox(old)
	b.Events = d.a.options.Events
	d.b, err = NewPeer(b)
	must(t, err)
	d.connect()
	one.publish(100)
	d.until("the next arrives", func() bool { return d.b.Stats().FramesIn == 1 })
	k := s.all[one.ring.Info().Instance]
	if k.drain(1); k.got != 1 || k.reader.Lost() != 7 || d.b.Stats().LostIn != 7 || d.a.Stats().LostOut != 7 {
		t.Errorf("%d arrived, %d lost, %+v", k.got, k.reader.Lost(), d.b.Stats())
	}
}

// A peer that nobody ran for a while does not take that for the other's silence.
func TestStandingStillIsNobodysSilence(t *testing.T) {
	a, b := pair(newSinks(t), netio.InboxOptions{}, Reliable, "ticks")
	d := newBed(t, 1, a, b)
	d.connect()
	d.until("both greet", func() bool { _, ok := d.a.Greeted(); _, ok2 := d.b.Greeted(); return ok && ok2 })
	for range 20 {
		for end := d.now + 50*time.Millisecond; d.now < end; {
			d.step()
		}
		d.now += 5 * DefaultLiveness
	}
	if len(d.errs) > 0 {
		t.Error(d.errs)
	}
}
