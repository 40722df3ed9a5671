package bench

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Geometry of the strip over time, in SVG units. Columns are as wide as there are intervals, rows lie between whole decades.
const (
	heatHeight  = 200
	heatDecade  = 6   // rows in a decade
	mostColumns = 600 // narrower ones cannot be seen; neighbours are merged
)

// heat draws how a lane's latencies lie in each interval, and the p99 as a line. Nothing for a lane without messages.
func heat(name string, log []Interval) template.HTML {
	columns := columnsOf(log)
	if len(columns) == 0 {
		return ""
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range columns {
		low = min(low, math.Floor(math.Log10(float64(max(c.Hist.Min(), 1)))))
		high = max(high, math.Ceil(math.Log10(float64(max(c.Hist.Max(), 1)))))
	}
	high = max(high, low+1)
	y := func(decade float64) float64 {
		return heatHeight - curveBottom - (heatHeight-curveTop-curveBottom)*(decade-low)/(high-low)
	}
	width := float64(curveWidth-curveLeft-curveRight) / float64(len(columns))
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="latency over time">`, curveWidth, heatHeight)
	rows := int(high-low) * heatDecade
	var line strings.Builder
	for i, c := range columns {
		x := curveLeft + float64(i)*width
		for row, share := range sharesOf(c, low, rows) {
			if share > 0 {
				top := y(low + float64(row+1)/heatDecade)
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" fill-opacity="%.2f"/>`,
					x, top, width, y(low+float64(row)/heatDecade)-top, strokes[0], shade(share))
			}
		}
		p99 := y(math.Log10(float64(max(c.Hist.ValueAtQuantile(99), 1))))
		fmt.Fprintf(&line, "%c%.1f %.1fH%.1f", "ML"[min(i, 1)], x, p99, x+width)
	}
	fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, line.String(), strokes[1])
	for d := low; d <= high; d++ {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="g"/>`, curveLeft, curveWidth-curveRight, y(d), y(d))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, curveLeft-8, y(d)+4, duration(int64(math.Pow(10, d))))
	}
	lasts := log[len(log)-1].To.Sub(log[0].From).Seconds()
	fmt.Fprintf(&b, `<text x="%d" y="%d">0 s</text><text x="%d" y="%d" text-anchor="end">%.1f s</text>`,
		curveLeft, heatHeight-curveBottom+18, curveWidth-curveRight, heatHeight-curveBottom+18, lasts)
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text></svg>`, curveWidth-curveRight+6, curveTop+12, template.HTMLEscapeString(name))
	return template.HTML(b.String()) // only numbers and an escaped lane name are in it
}

// columnsOf leaves out empty intervals and merges neighbours until there are few enough.
func columnsOf(log []Interval) (columns []Interval) {
	each := (len(log) + mostColumns - 1) / mostColumns
	for i, one := range log {
		switch {
		case one.Hist.TotalCount() == 0:
		case i%each == 0 || len(columns) == 0:
			h := newHistogram()
			h.Merge(one.Hist)
			columns = append(columns, Interval{one.From, one.To, h})
		default:
			last := &columns[len(columns)-1]
			last.Hist.Merge(one.Hist)
			last.To = one.To
		}
	}
	return columns
}

// sharesOf spreads an interval over the rows above 10^low ns.
func sharesOf(c Interval, low float64, rows int) []float64 {
	shares, all := make([]float64, rows), float64(c.Hist.TotalCount())
	for _, bar := range c.Hist.Distribution() {
		if bar.Count > 0 {
			row := int((math.Log10(float64(max(bar.From, 1))) - low) * heatDecade)
			shares[max(0, min(row, rows-1))] += float64(bar.Count) / all
		}
	}
	return shares
}

// shade is how dark a share is: a millionth can still be seen.
func shade(share float64) float64 { return max(0.12, 1+math.Log10(share)/7) }
