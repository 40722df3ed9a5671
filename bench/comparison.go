package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Group is the runs of one state of things: one commit, one host.
type Group struct {
	Name    string
	Reports []*Report
}

// Significance is the p below which two groups of runs differ.
const Significance = 0.05

// Ways to tell whether a figure differs.
const (
	ByRanks  = "ranks"  // Mann and Whitney, over the runs of both groups
	BySlices = "slices" // one run each: their intervals, between slices, do not overlap
	ByNone   = "none"   // one run each, and the figure has no interval
)

// Verdicts on a figure.
const (
	Unclear = "unclear" // no difference that is more than chance
	Better  = "better"
	Worse   = "worse"
)

// Change is one figure of one workload in two groups.
type Change struct {
	Workload  string   `json:"workload"`
	Figure    string   `json:"figure"`
	Unit      string   `json:"unit"` // "ns", "per second", "per message", "ratio"
	Base      Middle   `json:"base"`
	New       Middle   `json:"new"`
	Delta     *float64 `json:"delta,omitempty"` // new/base - 1; nil where base is 0
	P         *float64 `json:"p,omitempty"`     // of the rank test; nil where each side has one run
	By        string   `json:"by"`
	Verdict   string   `json:"verdict"`
	Regressed bool     `json:"regressed"` // worse, and by more than the threshold
}

// Comparison is what two groups of runs of the same workloads have to say about each other. Its JSON form is a contract: keys are
// added, never changed.
type Comparison struct {
	Base      Side     `json:"base"`
	New       Side     `json:"new"`
	Threshold float64  `json:"threshold"` // a share: 0.05 is 5 %
	Changes   []Change `json:"changes"`
	Warnings  []string `json:"warnings,omitempty"`
}

// Side says where a group's runs come from.
type Side struct {
	Name    string   `json:"name"`
	Runs    int      `json:"runs"`
	Hosts   []string `json:"hosts"` // fingerprints
	Commits []string `json:"commits"`
	Doctor  []string `json:"doctor"`
}

// ErrUnlike says that groups cannot be compared; the text names the workload. Measure the same workloads for both.
var ErrUnlike = errors.New("bench: groups do not match")

// CompareGroups holds the runs of next against those of base. Whatever is worse with significance and by more than threshold, a share,
// has regressed.
func CompareGroups(base, next Group, threshold float64) (*Comparison, error) {
	if !(threshold >= 0) || math.IsInf(threshold, 1) {
		return nil, fmt.Errorf("%w: threshold %g is not a share from zero up", ErrUnlike, threshold)
	}
	c := &Comparison{Base: base.side(), New: next.side(), Threshold: threshold, Changes: []Change{}}
	old, err := base.byWorkload()
	if err != nil {
		return nil, err
	}
	now, err := next.byWorkload()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(lacking(base.Name, old, next.Name, now), lacking(next.Name, now, base.Name, old)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnlike, err)
	}
	for _, w := range slices.Sorted(maps.Keys(old)) {
		c.warn(w, old[w], now[w])
		c.compare(w, readings(old[w]), readings(now[w]))
	}
	return c, nil
}

// Regressions lists the figures that are worse by more than the threshold.
func (c *Comparison) Regressions() (found []Change) {
	for _, ch := range c.Changes {
		if ch.Regressed {
			found = append(found, ch)
		}
	}
	return found
}

func (g Group) side() Side {
	s := Side{Name: g.Name, Runs: len(g.Reports)}
	for _, r := range g.Reports {
		s.Hosts = append(s.Hosts, r.Host.Fingerprint)
		s.Commits = append(s.Commits, r.Commit)
		s.Doctor = append(s.Doctor, r.Doctor.String())
	}
	for _, list := range []*[]string{&s.Hosts, &s.Commits, &s.Doctor} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return s
}

// byWorkload sorts the runs and refuses one that is there twice: it would make chance look like certainty.
func (g Group) byWorkload() (map[string][]*Report, error) {
	all := map[string][]*Report{}
	for _, r := range g.Reports {
		for _, other := range all[r.Workload] {
			if r.Started.Equal(other.Started) && r.Seed == other.Seed {
				return nil, fmt.Errorf("%w: %s: %s has the run of %s twice (%s and %s)", ErrUnlike, g.Name, r.Workload, r.Started.Format("2006-01-02 15:04:05"), other.from, r.from)
			}
		}
		all[r.Workload] = append(all[r.Workload], r)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s has no runs", ErrUnlike, g.Name)
	}
	return all, nil
}

// lacking names the workloads that only one group has.
func lacking(in string, have map[string][]*Report, out string, other map[string][]*Report) error {
	var only []string
	for _, w := range slices.Sorted(maps.Keys(have)) {
		if other[w] == nil {
			only = append(only, w)
		}
	}
	if only == nil {
		return nil
	}
	return fmt.Errorf("%s is in %s and not in %s", strings.Join(only, ", "), in, out)
}

// warn says what makes the runs of a workload less than comparable.
func (c *Comparison) warn(workload string, old, now []*Report) {
	say := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(c.Warnings, text) {
			c.Warnings = append(c.Warnings, text)
		}
	}
	first := old[0]
	for _, r := range slices.Concat(old, now) {
		switch unlike := first.Host.unlike(r.Host); {
		case len(unlike) > 0:
			say("the hosts differ (%s): only ratios to baselines mean something", strings.Join(unlike, "; "))
		case r.Host.Fingerprint == "":
			say("a report has no fingerprint of its host: it may be another one")
		case r.Host.Fingerprint != first.Host.Fingerprint && first.Host.Fingerprint != "":
			say("the hosts differ in something that one of them does not tell (%s and %s)", first.Host.Fingerprint, r.Host.Fingerprint)
		}
		if r.Rate != first.Rate || r.SliceNS != first.SliceNS || r.Processes != first.Processes || r.Lane != first.Lane && r.Lane != "" && first.Lane != "" {
			say("%s was not measured in the same way in all runs: rate, slice, processes or size differ", workload)
		}
	}
	switch n, m := len(old), len(now); {
	case n == 1 && m == 1:
		say("%s has one run on each side: their intervals between slices are compared, which say nothing about the next run; take five", workload)
	case leastP(n, m) >= Significance:
		say("%s has %d and %d runs, too few for any difference to be significant (p cannot fall below %.2g); take five of each", workload, n, m, leastP(n, m))
	}
}

// compare adds a change for each figure that both sides have.
func (c *Comparison) compare(workload string, old, now []reading) {
	for _, o := range old {
		i := slices.IndexFunc(now, func(s reading) bool { return s.figure == o.figure })
		if i < 0 {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s: %s is only in %s", workload, o.figure, c.Base.Name))
			continue
		}
		c.Changes = append(c.Changes, o.against(now[i], workload, c.Threshold))
	}
	for _, n := range now {
		if !slices.ContainsFunc(old, func(s reading) bool { return s.figure == n.figure }) {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s: %s is only in %s", workload, n.figure, c.New.Name))
		}
	}
}

// against judges a figure.
func (o reading) against(n reading, workload string, threshold float64) Change {
	ch := Change{Workload: workload, Figure: o.figure, Unit: o.unit, Base: o.middle(), New: n.middle(), Verdict: Unclear}
	if ch.Base.Median != 0 {
		d := ch.New.Median/ch.Base.Median - 1
		ch.Delta = &d
	}
	differs := false
	switch {
	case len(o.values) > 1 || len(n.values) > 1:
		p := rankTest(o.values, n.values)
		ch.By, ch.P, differs = ByRanks, &p, p < Significance
	case o.ends == nil || n.ends == nil:
		ch.By = ByNone
	default:
		ch.By, differs = BySlices, ch.Base.Hi < ch.New.Lo || ch.New.Hi < ch.Base.Lo
	}
	if !differs || ch.Base.Median == ch.New.Median {
		return ch
	}
	ch.Verdict = Worse
	if ch.New.Median > ch.Base.Median == o.more {
		ch.Verdict = Better
	}
	ch.Regressed = ch.Verdict == Worse && (ch.Delta == nil || math.Abs(*ch.Delta) > threshold)
	return ch
}
