package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the report for a terminal.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %.1f s, %d rounds of %.0f ms slices, %d process(es), seed %d, commit %s\n",
		r.Workload, r.Seconds, r.Rounds, float64(r.SliceNS)/1e6, r.Processes, r.Seed, r.Commit)
	fmt.Fprintf(&b, "%s\n\n", r.Host)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "lane\tp50\tp90\tp99\tp99.9\tp99.99\tmax\tper second\tallocs/op\t")
	for _, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%s%s\t%s\t\n", row.name, latencyCells(row.Latency), rateCell(row.Figures), allocsCell(row))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("bench: table: %w", err)
	}
	fmt.Fprintf(&b, "\nratios of slices of the same round, median [10 %% … 90 %%]\n")
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, q := range r.quotients() {
		fmt.Fprintf(t, "  %s\t%s\n", q.name, q.cells())
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("bench: table: %w", err)
	}
	fmt.Fprintf(&b, "\ngc: %d cycles, %d pauses, longest %s\n", r.GC.Cycles, r.GC.Pauses, duration(r.GC.MaxNS))
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String names the machine in one line.
func (h Host) String() string {
	pins := "pinned to " + strings.Trim(fmt.Sprint(h.Pins), "[]")
	if !h.Pinned {
		pins = "not pinned"
	}
	virtual := ""
	if h.Virtual {
		virtual = ", virtual"
	}
	return fmt.Sprintf("%s, %d × %s%s, %s %s, %s, %s, clock %s %.0f MHz; others used %.0f %% of the machine, %.0f %% stolen",
		h.Name, h.Processors, h.CPU, virtual, h.OS, h.Kernel, h.Go, pins, h.Clock, h.ClockHz/1e6, 100*h.Foreign, 100*h.Stolen)
}

// row is a lane as tables show it.
type row struct {
	name  string
	quiet bool // a stall row: no messages
	Figures
}

// rows lists subject, variants, baselines and stalls.
func (r *Report) rows() []row {
	all := []row{{"subject", false, r.Subject}}
	for _, k := range slices.Sorted(maps.Keys(r.Variants)) {
		all = append(all, row{"variant " + k, false, r.Variants[k].Subject})
	}
	for _, k := range slices.Sorted(maps.Keys(r.Baselines)) {
		all = append(all, row{k, false, r.Baselines[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(r.Stall)) {
		all = append(all, row{"stalls " + k, true, r.Stall[k]})
	}
	return all
}

// quotient is one ratio as tables show it.
type quotient struct {
	name string
	Ratio
}

// cells writes the spreads a ratio has.
func (q quotient) cells() string {
	var all []string
	for _, c := range []struct {
		what string
		s    *Spread
	}{{"p50", q.P50}, {"p99", q.P99}, {"rate", q.PerSec}} {
		if c.s != nil {
			all = append(all, fmt.Sprintf("%s %.3g [%.3g … %.3g]", c.what, c.s.Median, c.s.Lo, c.s.Hi))
		}
	}
	return strings.Join(all, "   ")
}

func (r *Report) quotients() (all []quotient) {
	list := func(of string, ratios map[string]Ratio) {
		for _, k := range slices.Sorted(maps.Keys(ratios)) {
			all = append(all, quotient{of + " / " + k, ratios[k]})
		}
	}
	list("subject", r.Ratio)
	for _, k := range slices.Sorted(maps.Keys(r.Variants)) {
		list("variant "+k, r.Variants[k].Ratio)
	}
	return all
}

func latencyCells(l *Latency) string {
	if l == nil {
		return strings.Repeat("–\t", 6)
	}
	rare := "–" // fewer than a million samples say nothing about it
	if l.P9999 > 0 {
		rare = duration(l.P9999)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t", duration(l.P50), duration(l.P90), duration(l.P99), duration(l.P999), rare, duration(l.Max))
}

func rateCell(f Figures) string {
	if f.PerSec == 0 {
		return "–"
	}
	return count(f.PerSec)
}

func allocsCell(r row) string {
	if r.quiet {
		return "–"
	}
	return fmt.Sprintf("%.3g", r.Allocs)
}

// duration writes nanoseconds with three digits or so and a unit.
func duration(ns int64) string {
	switch v := float64(ns); {
	case v < 1e3:
		return fmt.Sprintf("%.0f ns", v)
	case v < 1e6:
		return fmt.Sprintf("%.1f µs", v/1e3)
	case v < 1e9:
		return fmt.Sprintf("%.1f ms", v/1e6)
	default:
		return fmt.Sprintf("%.1f s", v/1e9)
	}
}

// count writes a rate with a unit.
func count(v float64) string {
	switch {
	case v < 1e3:
		return fmt.Sprintf("%.0f", v)
	case v < 1e6:
		return fmt.Sprintf("%.1f k", v/1e3)
	default:
		return fmt.Sprintf("%.2f M", v/1e6)
	}
}
