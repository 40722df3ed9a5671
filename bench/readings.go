package bench

import (
	"maps"
	"math"
	"slices"
)

// reading is one figure of one workload over a group's runs.
type reading struct {
	figure, unit string
	more         bool // more is better
	values       []float64
	ends         []float64 // lo and hi of a single run; nil where a report has none, or there are several runs
}

// middle is the reading's median and interval.
func (s reading) middle() Middle {
	m := middleOf(s.values)
	if len(s.values) == 1 && s.ends != nil {
		m.Lo, m.Hi = s.ends[0], s.ends[1]
	}
	return m
}

// readings lists what runs of one workload say about the subject, its variants and their ratios, in the order of a report.
func readings(runs []*Report) (all []reading) {
	at := map[string]int{}
	for _, r := range runs {
		for _, s := range r.readings() {
			i, known := at[s.figure]
			if !known {
				at[s.figure] = len(all)
				all = append(all, s)
				continue
			}
			all[i].values, all[i].ends = append(all[i].values, s.values[0]), nil
		}
	}
	return all
}

func (r *Report) readings() []reading {
	all := readingsOf("", r.Subject, r.Ratio)
	for _, k := range slices.Sorted(maps.Keys(r.Variants)) {
		all = append(all, readingsOf("variant "+k+" ", r.Variants[k].Subject, r.Variants[k].Ratio)...)
	}
	return all
}

func readingsOf(of string, f Figures, ratios map[string]Ratio) (all []reading) {
	add := func(name, unit string, more bool, v float64, ends ...float64) {
		all = append(all, reading{of + name, unit, more, []float64{v}, ends})
	}
	if l := f.Latency; l != nil {
		add("p50", "ns", false, float64(l.P50))
		add("p99", "ns", false, float64(l.P99))
		add("p99.9", "ns", false, float64(l.P999))
	}
	if f.PerSec > 0 {
		add("per_sec", "per second", true, f.PerSec, f.PerSecLo, f.PerSecHi)
	}
	// In hundredths: less is a timer of the runtime that fell into a slice.
	allocs := math.Round(100*f.Allocs) / 100
	add("allocs", "per message", false, allocs, allocs, allocs) // counted: one run is as good as five
	for _, base := range slices.Sorted(maps.Keys(ratios)) {
		for _, one := range []struct {
			name string
			more bool
			s    *Spread
		}{{"p50", false, ratios[base].P50}, {"p99", false, ratios[base].P99}, {"per_sec", true, ratios[base].PerSec}} {
			if one.s != nil {
				add(one.name+" / "+base, "ratio", one.more, one.s.Median, one.s.Lo, one.s.Hi)
			}
		}
	}
	return all
}
