package pack

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// nature is what a body of size bytes does: how far each method brings it down, and at what CPU per byte.
type nature struct {
	ratio [methods]float64
	cpu   [methods]float64 // ns per byte
}

var (
	records = nature{ratio: [methods]float64{1, 2.0, 3.2, 1.9}, cpu: [methods]float64{0, 2.6, 8.4, 2.0}}
	random  = nature{ratio: [methods]float64{1, 1.0, 1.0, 1.0}, cpu: [methods]float64{0, 0.1, 0.4, 0.1}}
	text    = nature{ratio: [methods]float64{1, 3.0, 3.1, 2.0}, cpu: [methods]float64{0, 1.0, 8.4, 2.0}}
)

// course runs a policy against a nature and a link, batch by batch.
// backlog is what the policy is told: bytes that wait, bytes a second.
type backlog struct{ waiting, rate int64 }

type course struct {
	policy
	nature
	size     int
	link     backlog
	noise    func() float64 // multiplies what a probe takes; nil is 1
	probes   int
	probing  time.Duration // time in probes
	changes  int
	packing  time.Duration // all CPU time
	linkTime time.Duration
}

func newCourse(n nature, link backlog) *course {
	c := &course{nature: n, size: 64 << 10, link: link}
	c.policy.open()
	return c
}

func (c *course) run(batches int) *course {
	for range batches {
		before := c.now
		c.observe(c.link.waiting, c.link.rate)
		if c.now != before {
			c.changes++
		}
		m, timed := c.pick(c.size)
		n := 0
		if c.ratio[m] > 1 {
			n = int(float64(c.size) / c.ratio[m])
		}
		took := time.Duration(c.cpu[m] * float64(c.size))
		c.packing += took
		sent := n
		if n == 0 {
			sent = c.size
		}
		c.linkTime += time.Duration(c.policy.link * float64(sent))
		if !timed {
			c.learn(m, c.size, n)
			continue
		}
		if c.noise != nil {
			took = time.Duration(float64(took) * c.noise())
		}
		c.probes++
		c.probing += took
		c.measure(m, c.size, n, took)
	}
	return c
}

const mega = 1 << 20

func TestAdaptiveChoosesWhatGetsAByteThroughSoonest(t *testing.T) {
	for _, try := range []struct {
		name string
		nature
		link backlog
		want Method
	}{
		{"nothing waits", records, backlog{0, mega}, None},
		{"less waits than a millisecond's worth", records, backlog{100_000, 120 * mega}, None},
		{"nothing known of the link", records, backlog{mega, 0}, None},
		{"slow link", records, backlog{mega, mega}, Zstd},
		{"100 MB/s", records, backlog{mega, 100_000_000}, Snappy},
		{"100 MB/s, another nature", text, backlog{mega, 100_000_000}, LZ4},
		{"a link faster than any method", records, backlog{64 * mega, 1_200_000_000}, None},
		{"incompressible on a slow link", random, backlog{mega, mega}, None},
	} {
		c := newCourse(try.nature, try.link).run(500)
		if c.now != try.want {
			t.Errorf("%s: %s, not %s: %s", try.name, c.now, try.want, c.explain())
		}
		if c.changes > 3 {
			t.Errorf("%s: %d changes while nothing changed", try.name, c.changes)
		}
	}
}

func TestWithoutABacklogNothingIsPackedOrMeasured(t *testing.T) {
	if c := newCourse(records, backlog{1000, 10 * mega}).run(5000); c.packing != 0 || c.probes != 0 {
		t.Errorf("%v of CPU, %d probes", c.packing, c.probes)
	}
}

func TestABurstIsNotABacklog(t *testing.T) {
	c := newCourse(records, backlog{0, 10 * mega})
	for range 200 {
		c.link.waiting = mega
		c.run(streakLong - 1)
		c.link.waiting = 0
		c.run(1)
	}
	if c.packing != 0 {
		t.Errorf("%v of CPU on bursts", c.packing)
	}
}

func TestAdaptiveStopsWhenTheBacklogIsGone(t *testing.T) {
	c := newCourse(records, backlog{mega, mega}).run(200)
	c.link.waiting = 0
	if c.run(streakLong); c.now != None {
		t.Errorf("after %d batches still %s", streakLong, c.now)
	}
	c.link.waiting = mega
	if c.run(streakLong + settleLong); c.now != Zstd {
		t.Errorf("what was measured before is forgotten: %s", c.explain())
	}
}

func TestAdaptiveNoticesThatDataChanged(t *testing.T) {
	c := newCourse(records, backlog{mega, mega}).run(300)
	for round := range 5 {
		c.nature = random
		if c.run(100); c.now != None {
			t.Fatalf("round %d, 100 batches of noise: %s", round, c.explain())
		}
		c.nature = records
		if c.run(600); c.now != Zstd {
			t.Fatalf("round %d, 600 batches of records: %s", round, c.explain())
		}
	}
	if c.changes > 5*8 { // at most three steps down and as many up, and what a first wrong guess costs
		t.Errorf("%d changes in 5 rounds", c.changes)
	}
}

func TestAdaptiveFollowsTheLink(t *testing.T) {
	c := newCourse(records, backlog{64 * mega, mega})
	for _, step := range []struct {
		rate int64
		want Method
	}{{mega, Zstd}, {1_200_000_000, None}, {100_000_000, Snappy}, {mega, Zstd}} {
		c.link.rate = step.rate
		if c.run(2000); c.now != step.want {
			t.Errorf("at %d B/s %s, not %s: %s", step.rate, c.now, step.want, c.explain())
		}
	}
}

func TestProbesTakeABoundedShareOfTheLinksTime(t *testing.T) {
	for _, rate := range []int64{mega, 100_000_000, 1_000_000_000, 10_000_000_000} {
		c := newCourse(records, backlog{1000 * mega, rate}).run(20)
		c.probing, c.linkTime, c.probes = 0, 0, 0 // after the first measurements
		c.run(20_000)
		if c.probing*probeShare > c.linkTime+time.Millisecond || c.probes > 20_000/probeEvery+1 {
			t.Errorf("at %d B/s %d probes took %v of %v", rate, c.probes, c.probing, c.linkTime)
		}
		if c.probes == 0 {
			t.Errorf("at %d B/s nothing was probed", rate)
		}
	}
}

// One probe in ten is preempted and takes up to a hundred times as long; the others scatter by a tenth.
func TestAdaptiveDoesNotFlapUnderNoisyMeasurements(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		c := newCourse(records, backlog{mega, mega})
		c.noise = func() float64 {
			if r.IntN(10) == 0 {
				return 1 + 99*r.Float64()
			}
			return 0.9 + r.Float64()/5
		}
		if c.run(20_000); c.now != Zstd || c.changes > 20 {
			t.Errorf("seed %d: %d changes, %s", seed, c.changes, c.explain())
		}
	}
}

func TestTheSameHistoryGivesTheSameChoices(t *testing.T) {
	run := func() *course {
		r := rand.New(rand.NewPCG(5, 5))
		c := newCourse(records, backlog{mega, mega})
		c.noise = func() float64 { return 0.5 + r.Float64() }
		return c.run(3000)
	}
	if a, b := run(), run(); a.policy != b.policy || a.explain() != b.explain() {
		t.Errorf("%+v\n%+v", a.policy, b.policy)
	}
}

func TestOddBacklogsAreSurvived(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	odd := []int64{0, 1, -1, 1 << 62, -1 << 62, mega, 1000}
	c := newCourse(records, backlog{})
	for range 50_000 {
		c.link = backlog{odd[r.IntN(len(odd))], odd[r.IntN(len(odd))]}
		c.run(1)
		if c.cost(c.now) < 0 || c.cost(c.now) != c.cost(c.now) || c.explain() == "" {
			t.Fatalf("%+v", c.policy)
		}
	}
}

func TestExplainNamesChoiceAndReasons(t *testing.T) {
	for _, try := range []struct {
		c    *course
		want []string
	}{
		{newCourse(records, backlog{10, mega}).run(20), []string{"none: no backlog, 10 B waiting"}},
		{newCourse(records, backlog{mega, mega}).run(9), []string{"none: backlog 1024 KiB, link 953.7 ns/B", "zstd rejected: not measured yet"}},
		{newCourse(records, backlog{mega, 100_000_000}).run(300), []string{
			"snappy: ratio 1.9, 2.0 ns/B, backlog 1024 KiB, link 10.0 ns/B",
			"lz4 rejected: ratio 2.0 at 2.6 ns/B comes to 7.6 ns/B, not 7.3",
			"zstd rejected: 8.4 ns/B costs more than it saves, ratio 3.2",
		}},
		{newCourse(random, backlog{mega, mega}).run(300), []string{"none: ", "lz4 rejected: saves nothing"}},
	} {
		got := try.c.explain()
		for _, want := range try.want {
			if !strings.Contains(got, want) || strings.Contains(got, "\n") {
				t.Errorf("no %q in %q", want, got)
			}
		}
	}
}
