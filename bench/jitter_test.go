package bench

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/alphapulse/transport/numa"
)

// TestStallsBetweenTwoRoundsCount drives a gauge by a clock that jumps: once within a Do, once between two.
func TestStallsBetweenTwoRoundsCount(t *testing.T) {
	now := uint64(1000)
	jump := map[int]uint64{100: 5000, 257: 9000} // the first reading of all begins the first gap
	readings := 0
	c := &clock{scale: 1 << 32, now: func() uint64 {
		now += 20 + jump[readings]
		readings++
		return now
	}}
	g := &gauge{clock: c, hist: newHistogram(), threshold: 1000}
	for range 2 {
		if n, err := g.Do(); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	r := g.report(3)
	if g.above != 2 || g.stolen != 5020+9020 || r.CPU != 3 || r.Samples != 512 || r.P50 != 20 || r.Max < 9000 || r.Max > 9030 {
		t.Errorf("%d stalls of %d ns: %+v", g.above, g.stolen, r)
	}
	total := float64(512*20 + 14000)
	if share := r.Stolen - 14040/total; share > 1e-9 || share < -1e-9 {
		t.Errorf("stolen %v of %v ns", r.Stolen, total)
	}
}

func TestJitterLooksAtTheCoresItIsTold(t *testing.T) {
	m, err := numa.Local()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("loops cannot be pinned here")
	}
	if err != nil {
		t.Fatal(err)
	}
	cpu := m.CPUs(numa.AnyNode)[0]
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	r, err := Jitter(t.Context(), JitterOptions{CPUs: []int{cpu}, For: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cores) != 1 || r.Cores[0].CPU != cpu || r.Cores[0].Samples < 256 || r.Cores[0].Max < r.Cores[0].P50 {
		t.Errorf("%+v", r)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, stop)
	if r, err = Jitter(ctx, JitterOptions{CPUs: []int{cpu}, For: time.Hour}); err != nil {
		t.Errorf("an early end is no fault: %v, %+v", err, r)
	}
}

func TestJitterRefusesWhatItCannotHave(t *testing.T) {
	if _, err := Jitter(t.Context(), JitterOptions{For: -1}); !errors.Is(err, ErrJitter) {
		t.Errorf("%v", err)
	}
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	if _, err := Jitter(t.Context(), JitterOptions{CPUs: []int{0, 1}, For: time.Hour}); !errors.Is(err, numa.ErrTooManySpinners) {
		t.Errorf("no processor is left for the rest: %v", err)
	}
	if _, err := Jitter(t.Context(), JitterOptions{CPUs: []int{8191}, For: time.Hour}); !errors.Is(err, ErrJitter) {
		t.Errorf("a CPU that is not there: %v", err)
	}
}
