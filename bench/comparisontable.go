package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the comparison for a terminal. "~" is no difference that is more than chance.
func (c *Comparison) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, s := range []struct {
		what string
		Side
	}{{"base", c.Base}, {"new", c.New}} {
		fmt.Fprintf(&b, "%-4s  %s: %d runs, commit %s, host %s, doctor %s\n", s.what, s.Name, s.Runs, listed(s.Commits), listed(s.Hosts), listed(s.Doctor))
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	workload := ""
	for _, ch := range c.Changes {
		if ch.Workload != workload {
			workload = ch.Workload
			fmt.Fprintf(t, "\n%s\tbase\tnew\tdelta\tp\t\n", workload)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", ch.Figure, ch.cell(ch.Base), ch.cell(ch.New), ch.deltaCell(), ch.pCell(), ch.verdictCell())
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("bench: comparison: %w", err)
	}
	if len(c.Warnings) > 0 {
		b.WriteByte('\n')
	}
	for _, text := range c.Warnings {
		fmt.Fprintln(&b, "warning:", text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func listed(all []string) string {
	text := make([]string, len(all))
	for i, s := range all {
		if text[i] = s; s == "" {
			text[i] = "unknown"
		}
	}
	return strings.Join(text, " | ")
}

func (ch Change) cell(m Middle) string {
	value := func(v float64) string {
		switch ch.Unit {
		case "ns":
			return duration(int64(v))
		case "per second":
			return count(v)
		}
		return fmt.Sprintf("%.3g", v)
	}
	if m.Lo == m.Hi {
		return value(m.Median)
	}
	return fmt.Sprintf("%s [%s … %s]", value(m.Median), value(m.Lo), value(m.Hi))
}

func (ch Change) deltaCell() string {
	switch {
	case ch.Verdict == Unclear:
		return "~"
	case ch.Delta == nil:
		return "from 0"
	}
	return fmt.Sprintf("%+.1f %%", 100**ch.Delta)
}

func (ch Change) pCell() string {
	if ch.P != nil {
		return fmt.Sprintf("%.3f", *ch.P)
	}
	return map[string]string{BySlices: "intervals", ByNone: "one run"}[ch.By]
}

func (ch Change) verdictCell() string {
	switch {
	case ch.Regressed:
		return "worse, REGRESSED"
	case ch.Verdict == Unclear:
		return ""
	}
	return ch.Verdict
}
