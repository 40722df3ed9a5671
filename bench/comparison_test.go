package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// compared compares runs of ring/x; next is what changed in the second group.
func compared(t *testing.T, base, next int, change func(*Report)) *Comparison {
	t.Helper()
	c, err := CompareGroups(Group{"old", someRuns("ring/x", 0, base, nil)}, Group{"new", someRuns("ring/x", 100, next, change)}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Comparison) change(t *testing.T, figure string) Change {
	t.Helper()
	i := slices.IndexFunc(c.Changes, func(ch Change) bool { return ch.Figure == figure })
	if i < 0 {
		t.Fatalf("no %s in %+v", figure, c.Changes)
	}
	return c.Changes[i]
}

func regressed(c *Comparison) (figures []string) {
	for _, ch := range c.Regressions() {
		figures = append(figures, ch.Figure)
	}
	return figures
}

func TestComparisonFindsWhatBecameWorseAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		want   []string
	}{
		"nothing":   {nil, nil},
		"p50":       {func(r *Report) { r.Subject.P50 += 15 }, []string{"p50"}},
		"p99":       {func(r *Report) { r.Subject.P99 += 100 }, []string{"p99"}},
		"p99.9":     {func(r *Report) { r.Subject.P999 += 100 }, []string{"p99.9"}},
		"less rate": {func(r *Report) { r.Subject.PerSec *= 0.91 }, []string{"per_sec"}},
		"more rate": {func(r *Report) { r.Subject.PerSec *= 1.09 }, nil},
		"faster":    {func(r *Report) { r.Subject.P50 -= 30 }, nil},
		"ratio":     {func(r *Report) { r.Ratio["line"].P50.Median *= 1.06 }, []string{"p50 / line"}},
		"variant":   {func(r *Report) { r.Variants["64B"].Ratio["line"].PerSec.Median = 1.9 }, []string{"variant 64B per_sec / line"}},
		"allocs":    {func(r *Report) { r.Subject.Allocs = 1 }, []string{"allocs"}},
		"timer":     {func(r *Report) { r.Subject.Allocs = 0.002 }, nil},
		"a little":  {func(r *Report) { r.Subject.P99 += 8 }, nil}, // significant, and within the threshold
	} {
		if got := regressed(compared(t, 6, 6, c.change)); !slices.Equal(got, c.want) {
			t.Errorf("%s: regressed %v, not %v", name, got, c.want)
		}
	}
	c := compared(t, 6, 6, func(r *Report) { r.Subject.P99 += 8 })
	if ch := c.change(t, "p99"); ch.Verdict != Worse || ch.By != ByRanks || *ch.P > 0.05 || ch.Base.Median != 202 || ch.Base.Confidence < 0.95 {
		t.Errorf("%+v", ch)
	}
	if ch := c.change(t, "p50"); ch.Verdict != Unclear || *ch.P < 0.5 || *ch.Delta != 0 {
		t.Errorf("%+v", ch)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings about like hosts and enough runs: %q", c.Warnings)
	}
}

func TestChanceIsNoRegression(t *testing.T) {
	// A single outlier moves no median; a shift that three runs show may be chance.
	c := compared(t, 3, 3, func(r *Report) { r.Subject.P50 += 40 })
	if got := regressed(c); got != nil || !strings.Contains(strings.Join(c.Warnings, "\n"), "3 and 3 runs, too few") {
		t.Errorf("three runs: %v, %q", got, c.Warnings)
	}
	if got := regressed(compared(t, 4, 4, func(r *Report) { r.Subject.P50 += 15 })); !slices.Equal(got, []string{"p50"}) {
		t.Errorf("four runs that do not overlap: %v", got)
	}
	once := true
	c = compared(t, 6, 6, func(r *Report) {
		if once {
			r.Subject.P50, once = 119, false
		}
	})
	if got := regressed(c); got != nil {
		t.Errorf("an outlier: %v", got)
	}
}

func TestOneRunOfEachIsComparedByItsIntervals(t *testing.T) {
	overlaps := compared(t, 1, 1, func(r *Report) {
		r.Subject.P50 += 15
		r.Ratio["line"].P50.Median, r.Ratio["line"].P50.Hi = 1.7, 1.8
	})
	if got := regressed(overlaps); got != nil || overlaps.change(t, "p50").By != ByNone || overlaps.change(t, "p50 / line").By != BySlices {
		t.Errorf("intervals overlap, and regressed: %v, %+v", got, overlaps.Changes)
	}
	if !strings.Contains(strings.Join(overlaps.Warnings, "\n"), "one run on each side") {
		t.Errorf("%q", overlaps.Warnings)
	}
	apart := compared(t, 1, 1, func(r *Report) { r.Ratio["line"] = Ratio{P50: &Spread{Median: 2, Lo: 1.9, Hi: 2.1}} })
	if got := regressed(apart); !slices.Equal(got, []string{"p50 / line"}) {
		t.Errorf("intervals lie apart, and regressed: %v", got)
	}
	if got := regressed(compared(t, 1, 1, func(r *Report) { r.Subject.Allocs = 1 })); !slices.Equal(got, []string{"allocs"}) {
		t.Errorf("an allocation is no matter of chance: %v", got)
	}
}

func TestUnlikeRunsAreRefusedOrWarnedOf(t *testing.T) {
	x, y := Group{"xs", someRuns("ring/x", 0, 5, nil)}, Group{"ys", someRuns("ring/y", 0, 5, nil)}
	for said, groups := range map[string][2]Group{
		"ring/x is in xs and not in ys":              {x, y},
		"ring/y is in both and not in xs":            {x, {"both", slices.Concat(x.Reports, y.Reports)}},
		"nothing has no runs":                        {x, {Name: "nothing"}},
		"twice: ring/x has the run of 2023-11-14 22": {x, {"twice", slices.Concat(x.Reports, x.Reports[2:3])}},
	} {
		if _, err := CompareGroups(groups[0], groups[1], 0.05); !errors.Is(err, ErrUnlike) || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v", said, err)
		}
	}
	if _, err := CompareGroups(x, x, -1); !errors.Is(err, ErrUnlike) {
		t.Errorf("threshold: %v", err)
	}
	if c, err := CompareGroups(x, x, 0.05); err != nil || len(c.Regressions()) > 0 {
		t.Errorf("a group and itself: %v", err)
	}
	for said, change := range map[string]func(*Report){
		"the hosts differ (kernel 6.1 and 6.2)": func(r *Report) { r.Host.Kernel = "6.2" },
		"no fingerprint":                        func(r *Report) { r.Host.Fingerprint = "" },
		"does not tell":                         func(r *Report) { r.Host.Governor, r.Host.Fingerprint = "", "0" },
		"not measured in the same way":          func(r *Report) { r.Rate = 7 },
		"p99 / line is only in new": func(r *Report) {
			r.Ratio["line"] = Ratio{P50: r.Ratio["line"].P50, P99: &Spread{Median: 1, Lo: 1, Hi: 1}}
		},
		"p50 / line is only in old": func(r *Report) { delete(r.Ratio, "line") },
	} {
		if c := compared(t, 5, 5, change); len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], said) {
			t.Errorf("%q: %q", said, c.Warnings)
		}
	}
}

func TestComparisonSaysItInTextAndJSON(t *testing.T) {
	c := compared(t, 6, 6, func(r *Report) {
		r.Subject.P50 += 15
		r.Subject.Allocs = 1
		r.Host.Kernel = "6.2"
		r.Doctor = &Verdict{"hft", "fail", []string{"isolcpus", "nohz_full"}}
	})
	var b bytes.Buffer
	if err := c.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"base  old: 6 runs, commit 1a2b3c4, host " + someHost().fingerprint() + ", doctor not examined", "new   new: 6 runs", "hft: fail, failed: isolcpus, nohz_full",
		"101 ns [100 ns … 102 ns]", "+14.9 %", "worse, REGRESSED", "from 0", "~", "warning: the hosts differ (kernel"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("the text lacks %q:\n%s", part, b.String())
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"threshold":0.05`, `"figure":"p50","unit":"ns","base":{"median":101,"lo":100,"hi":102,"runs":6,"confidence":0.96875}`, `"verdict":"worse","regressed":true`, `"by":"ranks"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the JSON lacks %s: %s", part, text)
		}
	}
}
