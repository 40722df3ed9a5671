package bench

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// forestRow is the height of a ratio's line, in SVG units.
const forestRow = 18

// forest draws each ratio with its interval on one logarithmic axis, on which 1, as fast as the baseline, has a line of its own.
func forest(all []quotient) template.HTML {
	type bar struct {
		name string
		Spread
	}
	var bars []bar
	low, high := 0.5, 2.0 // what is always shown
	for _, q := range all {
		for _, c := range []struct {
			what string
			s    *Spread
		}{{"p50", q.P50}, {"p99", q.P99}, {"rate", q.PerSec}} {
			if c.s != nil && c.s.Lo > 0 {
				bars = append(bars, bar{c.what + " " + q.name, *c.s})
				low, high = min(low, c.s.Lo), max(high, c.s.Hi)
			}
		}
	}
	if len(bars) == 0 {
		return ""
	}
	const left, right = 260, 70
	from, to := math.Log10(low), math.Log10(high)
	x := func(v float64) float64 {
		return left + (curveWidth-left-right)*(math.Log10(v)-from)/(to-from)
	}
	height := (len(bars) + 1) * forestRow
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="ratios to baselines">`, curveWidth, height+4)
	for _, v := range []float64{low, 1, high} {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="0" y2="%d" class="g"/><text x="%.1f" y="%d" text-anchor="middle">%.3g</text>`,
			x(v), x(v), height-forestRow, x(v), height-2, v)
	}
	for i, one := range bars {
		y := i*forestRow + forestRow/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, y+4, template.HTMLEscapeString(one.name))
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-width="2"/><circle cx="%.1f" cy="%d" r="3.5" fill="%s"/>`,
			x(one.Lo), x(one.Hi), y, y, strokes[0], x(one.Median), y, strokes[0])
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // only numbers and escaped names are in it
}
