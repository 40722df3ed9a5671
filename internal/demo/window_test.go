package demo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/alphapulse/transport/internal/trades"
)

// slowly is what a window says, from all trades so far.
func slowly(prices, volumes []int64) statistics {
	from := max(0, len(prices)-windowSize)
	prices, volumes = prices[from:], volumes[from:]
	var sum, turned, traded float64
	for i, p := range prices {
		sum += float64(p)
		turned += float64(p) * float64(volumes[i])
		traded += float64(volumes[i])
	}
	mean := sum / float64(len(prices))
	var squares float64
	for _, p := range prices {
		squares += (float64(p) - mean) * (float64(p) - mean)
	}
	return statistics{mean: int64(mean), deviation: int64(math.Sqrt(squares / float64(len(prices)))), vwap: int64(turned / traded),
		momentum: prices[len(prices)-1] - prices[0], fill: uint8(100 * len(prices) / windowSize)}
}

func TestWindowSaysWhatAllItsTradesSay(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	var w window
	var prices, volumes []int64
	price := int64(11_682_785_000_000)
	for i := range 1000 {
		price += rng.Int64N(2_000_000_001) - 1_000_000_000
		prices, volumes = append(prices, price), append(volumes, 1+rng.Int64N(1e9))
		got, want := w.add(price, volumes[i]), slowly(prices, volumes)
		near := func(a, b int64) bool { return a-b < 2000 && b-a < 2000 } // a fiftieth of a millionth
		if !near(got.mean, want.mean) || !near(got.deviation, want.deviation) || !near(got.vwap, want.vwap) ||
			got.momentum != want.momentum || got.fill != want.fill {
			t.Fatalf("trade %d: %+v, slowly %+v", i, got, want)
		}
	}
}

func TestWindowsAreOnePerProductAndBounded(t *testing.T) {
	var ws windows
	if a, b := ws.of(1), ws.of(2); a == b || ws.of(1) != a {
		t.Error("products share a window")
	}
	for i := range uint64(2 * maxProducts) {
		ws.of(i)
	}
	if len(ws.all) != maxProducts {
		t.Errorf("%d windows", len(ws.all))
	}
}

func TestScheduleKeepsItsInstants(t *testing.T) {
	all, err := trades.Load()
	if err != nil {
		t.Fatal(err)
	}
	const start = 1_000_000
	even := newSchedule(Pace{Rate: 20_000}, all, 7, start)
	even.sent = 40_000
	if got := even.due(0); got != start+2_000_000_000 {
		t.Errorf("message 40000 at %d", got)
	}
	flat := newSchedule(Pace{}, all, 0, start)
	if got := flat.due(12345); got != 12345 {
		t.Errorf("flat out at %d", got)
	}
	for _, speed := range []float64{1, 10} {
		s := newSchedule(Pace{Speed: speed}, all, 5, start)
		last := uint64(0)
		for n := range uint64(1000) {
			s.sent = n
			at := s.due(0)
			if at < last {
				t.Fatalf("x%g: message %d at %d, the one before at %d", speed, n, at, last)
			}
			if n == 10 {
				want := start + uint64(float64(all[15].Captured.Sub(all[5].Captured))/speed)
				if at != want {
					t.Errorf("x%g: ten trades after %d ns, captured %d", speed, at-start, want-start)
				}
			}
			last = at
		}
	}
}

func TestParsePaceRefusesWhatIsNone(t *testing.T) {
	for s, want := range map[string]Pace{"recorded": {Speed: 1}, "x1": {Speed: 1}, "x10": {Speed: 10}, "x0.5": {Speed: 0.5}} {
		if got, err := ParsePace(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "10", "x0", "x-1", "xNaN", "xInf", "x1e99", "real"} {
		if p, err := ParsePace(s); err == nil {
			t.Errorf("%q passes as %+v", s, p)
		}
	}
	for _, p := range []Pace{{Rate: -1}, {Rate: math.NaN()}, {Rate: 1, Speed: 1}, {Speed: math.Inf(1)}} {
		if p.check() == nil {
			t.Errorf("%+v passes", p)
		}
	}
}
