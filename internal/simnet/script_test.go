package simnet

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden fates anew")

func mustParse(t testing.TB, text string) Faults {
	t.Helper()
	f, err := ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// goldenFates are the fates of 400 datagrams, one a line, each 100 µs after the one before.
func goldenFates(t *testing.T, seed uint64, d Direction) string {
	s := NewScript(seed, d, mustParse(t, "loss=5%,burst=2%/4/75%,delay=1ms,jitter=500us,reorder=5%/2,dup=5%,corrupt=5%,truncate=5%,"+
		"rate=1500kB/s,queue=500B,partition=20ms/2ms/1"))
	var b strings.Builder
	for i := range 400 {
		at := time.Duration(i) * 100 * time.Microsecond
		f := s.Next(at, 64+i%3*100)
		fmt.Fprintf(&b, "%d %s %d: ", seed, d, i)
		if f.Verdict != Passed {
			fmt.Fprintln(&b, []string{"", "partitioned", "lost", "limited"}[f.Verdict])
			continue
		}
		fmt.Fprintf(&b, "%d bytes in %s", f.Size, f.Due-at)
		if f.Flip >= 0 {
			fmt.Fprintf(&b, ", bit %d", f.Flip)
		}
		if f.Twice {
			b.WriteString(", twice")
		}
		if f.Behind > 0 {
			fmt.Fprintf(&b, ", behind %d", f.Behind)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestFatesAreTheGoldenOnes(t *testing.T) {
	got := goldenFates(t, 7, Up) + goldenFates(t, 7, Down) + goldenFates(t, math.MaxUint64, Up)
	file := filepath.Join("testdata", "fates.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wants := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(wants) || line != wants[i] {
			t.Fatalf("line %d: %q, want %q", i+1, line, wants[min(i, len(wants)-1)])
		}
	}
	for _, what := range []string{"lost", "limited", "partitioned", "bit", "twice", "behind"} {
		if !strings.Contains(got, what) {
			t.Errorf("no datagram is %s: the golden fates show too little", what)
		}
	}
}

// A fault more, a datagram lost or a partition changes nothing about what else is drawn.
func TestFaultsDoNotShiftEachOthersDraws(t *testing.T) {
	const n = 5000
	twice := func(f string, partition bool) (set map[int]bool) {
		set = map[int]bool{}
		s := NewScript(3, Up, mustParse(t, f))
		for i := range n {
			s.Partition(partition && i > 1000 && i < 2000)
			if s.Next(0, 100).Twice {
				set[i] = true
			}
		}
		return set
	}
	alone := twice("dup=10%", false)
	for name, among := range map[string]map[int]bool{
		"others":    twice("dup=10%,delay=5ms,jitter=5ms,reorder=20%,corrupt=30%,truncate=30%", false),
		"loss":      twice("dup=10%,loss=30%,burst=1%/20", false),
		"partition": twice("dup=10%", true),
	} {
		for i := range among {
			if !alone[i] {
				t.Fatalf("%s: datagram %d is sent twice, and was not without", name, i)
			}
		}
		if name == "others" && len(among) != len(alone) || len(among) < len(alone)/2 {
			t.Errorf("%s: %d of %d are left", name, len(among), len(alone))
		}
	}
}

func TestSeedsAndDirectionsDrawApart(t *testing.T) {
	fates := func(seed uint64, d Direction) (lost string) {
		s := NewScript(seed, d, Faults{Loss: 0.5})
		for range 64 {
			lost += map[bool]string{true: "x", false: "."}[s.Next(0, 1).Verdict == Lost]
		}
		return lost
	}
	if a, b := fates(1, Up), fates(1, Up); a != b {
		t.Errorf("the same seed, other fates:\n%s\n%s", a, b)
	}
	if a, b, c := fates(1, Up), fates(1, Down), fates(2, Up); a == b || a == c || b == c {
		t.Errorf("other seeds, the same fates:\n%s\n%s\n%s", a, b, c)
	}
}

// near: within five standard deviations of a binomial count, for a fixed seed.
func near(count, n int, p float64) bool {
	return math.Abs(float64(count)-float64(n)*p) <= 5*math.Sqrt(float64(n)*p*(1-p))
}

func TestSharesAreWhatWasAsked(t *testing.T) {
	const n = 100_000
	s := NewScript(11, Down, mustParse(t, "loss=1%,reorder=2%,dup=3%,corrupt=4%,truncate=5%"))
	var lost, behind, twice, flipped, cut, passed int
	for range n {
		f := s.Next(0, 100)
		if f.Verdict == Lost {
			lost++
			continue
		}
		passed++
		if f.Behind > 0 {
			behind++
		}
		if f.Twice {
			twice++
		}
		if f.Flip >= 0 {
			flipped++
		}
		if f.Size < 100 {
			cut++
		}
		if f.Flip >= 8*max(f.Size, 1) || f.Size < 0 || f.Size > 100 {
			t.Fatalf("bit %d of %d bytes", f.Flip, f.Size)
		}
	}
	for name, c := range map[string]struct {
		count, of int
		p         float64
	}{"loss": {lost, n, .01}, "reorder": {behind, passed, .02}, "dup": {twice, passed, .03}, "corrupt": {flipped, passed, .04}, "truncate": {cut, passed, .05}} {
		if !near(c.count, c.of, c.p) {
			t.Errorf("%s: %d of %d, asked for %v", name, c.count, c.of, c.p)
		}
	}
}

func TestBurstsStartAndLastAsAsked(t *testing.T) {
	const n = 200_000
	s := NewScript(5, Up, mustParse(t, "burst=1%/8"))
	var bursts, lost, good int
	bad := false
	for range n {
		is := s.Next(0, 1).Verdict == Lost
		if is {
			lost++
			if !bad {
				bursts++
			}
		} else if !bad {
			good++
		}
		bad = is
	}
	if mean := float64(lost) / float64(bursts); mean < 7 || mean > 9 {
		t.Errorf("a burst lasts %.2f on average", mean)
	}
	if !near(bursts, good+bursts, 0.01) {
		t.Errorf("%d bursts in %d good datagrams", bursts, good)
	}
	s = NewScript(5, Up, mustParse(t, "burst=100%/1000/50%"))
	lost = 0
	for range n {
		if s.Next(0, 1).Verdict == Lost {
			lost++
		}
	}
	if lost < n*45/100 || lost > n*55/100 {
		t.Errorf("bursts lose %d of %d", lost, n)
	}
}

func TestJitterKeepsTheOrderAndTheBounds(t *testing.T) {
	s := NewScript(9, Up, mustParse(t, "delay=5ms,jitter=2ms"))
	var last time.Duration
	late := map[time.Duration]int{}
	for i := range 10_000 {
		at := time.Duration(i) * time.Millisecond * 3 // further apart than the jitter: each draw shows
		f := s.Next(at, 1)
		if f.Due < last || f.Due < at+5*time.Millisecond || f.Due > at+7*time.Millisecond {
			t.Fatalf("datagram %d of %s is due at %s, after %s", i, at, f.Due, last)
		}
		last = f.Due
		late[(f.Due-at)/(500*time.Microsecond)]++
	}
	for _, part := range []time.Duration{10, 11, 12, 13} {
		if late[part] < 2000 {
			t.Errorf("jitter is not spread: %v", late)
		}
	}
	for i := range 1000 { // closer together: order still holds
		f := s.Next(30*time.Second+time.Duration(i), 1)
		if f.Due < last {
			t.Fatalf("datagram %d overtakes", i)
		}
		last = f.Due
	}
}

func TestRateSpacesBytesAndBoundsItsQueue(t *testing.T) {
	s := NewScript(1, Up, mustParse(t, "rate=1MB/s,queue=10kB"))
	passed := 0
	for i := range 20 { // all at once: 1 ms each, ten wait at most
		f := s.Next(0, 1000)
		if f.Verdict == Passed {
			passed++
			if want := time.Duration(passed) * time.Millisecond; f.Due != want {
				t.Errorf("datagram %d is due at %s, not %s", i, f.Due, want)
			}
		} else if f.Verdict != Limited {
			t.Errorf("datagram %d: %v", i, f.Verdict)
		}
	}
	if passed != 10 {
		t.Errorf("a queue of ten takes %d", passed)
	}
	if f := s.Next(10*time.Millisecond, 60_000); f.Verdict != Passed {
		t.Error("an idle line refuses a datagram larger than its queue")
	}
	if f := s.Next(11*time.Millisecond, 1000); f.Verdict != Limited {
		t.Error("a busy line has room")
	}
	s.Set(11*time.Millisecond, Faults{})
	if f := s.Next(12*time.Millisecond, 1000); f.Verdict != Passed || f.Due != 12*time.Millisecond {
		t.Errorf("a rate that was lifted still counts: %+v", f)
	}
}

func TestDecidingAllocatesNothing(t *testing.T) {
	s := NewScript(1, Up, mustParse(t, "loss=1%,delay=5ms,jitter=1ms,dup=1%,rate=1GB/s"))
	if n := testing.AllocsPerRun(1000, func() { s.Next(0, 100) }); n != 0 {
		t.Errorf("%v allocations a decision", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	s := NewScript(1, Up, mustParse(b, "loss=1%,delay=5ms,jitter=1ms,dup=1%,rate=1GB/s"))
	b.ReportAllocs()
	for b.Loop() {
		s.Next(0, 100)
	}
}
