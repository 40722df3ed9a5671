package bench

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

//go:embed report.html
var pageText string

//go:embed style.html
var styleText string

//go:embed run.html
var runText string

var page = template.Must(template.Must(template.Must(template.New("report").Parse(pageText)).Parse(styleText)).Parse(runText))

// WriteHTML writes the report as one page that carries everything it shows.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r.shown()) }

// shownReport is a report as pages show it.
type shownReport struct {
	*Report
	Curve, Heat, Forest template.HTML
	Rows                []htmlRow
	Ratios              []htmlLine
	Facts               []htmlLine
}

// htmlLine is a name and what is said of it.
type htmlLine struct{ Name, Cells string }

func (r *Report) shown() shownReport {
	view := shownReport{Report: r, Curve: curve(r.traces()), Forest: forest(r.quotients())}
	if t := r.lanes[r.Lane]; t != nil {
		view.Heat = heat(r.Lane, t.log)
	}
	for i, row := range r.rows() {
		cells := strings.Split(latencyCells(row.Latency)+rateCell(row.Figures)+"\t"+allocsCell(row), "\t")
		view.Rows = append(view.Rows, htmlRow{row.name, i == 0, cells})
		if row.Lost > 0 {
			view.Facts = append(view.Facts, htmlLine{"lost", fmt.Sprintf("%s: %.3g %% of the messages", row.name, 100*row.Lost)})
		}
	}
	for _, q := range r.quotients() {
		view.Ratios = append(view.Ratios, htmlLine{q.name, q.cells()})
	}
	for _, f := range r.Host.facts() {
		if f.value != "" {
			view.Facts = append(view.Facts, htmlLine{f.name, f.value})
		}
	}
	view.Facts = append(view.Facts,
		htmlLine{"machine", r.Host.String()},
		htmlLine{"fingerprint", cmp.Or(r.Host.Fingerprint, "unknown")},
		htmlLine{"doctor", r.Doctor.String()},
		htmlLine{"clock step", fmt.Sprintf("%.1f ns", r.Host.ClockStep)},
		htmlLine{"commit", r.Commit},
		htmlLine{"seed", fmt.Sprint(r.Seed)},
		htmlLine{"started", r.Started.UTC().Format("2006-01-02 15:04:05 MST")},
		htmlLine{"run", fmt.Sprintf("%.1f s, %d rounds, slices of %.0f ms, %d process(es)", r.Seconds, r.Rounds, float64(r.SliceNS)/1e6, r.Processes)},
		htmlLine{"garbage collector", fmt.Sprintf("%d cycles, %d pauses, median %s, longest %s, heap %d KiB, GOMAXPROCS %d",
			r.GC.Cycles, r.GC.Pauses, duration(r.GC.P50NS), duration(r.GC.MaxNS), r.GC.HeapKiB, r.Host.MaxProcs)})
	for _, n := range r.Notes {
		view.Facts = append(view.Facts, htmlLine{"note", n})
	}
	return view
}

// htmlRow is a table row of the page.
type htmlRow struct {
	Name    string
	Subject bool
	Cells   []string
}

// Geometry of the curve, in SVG units.
const (
	curveWidth  = 960
	curveHeight = 420
	curveLeft   = 70
	curveRight  = 150
	curveTop    = 16
	curveBottom = 34
	mostNines   = 7.0
)

var strokes = []string{"#0b6bcb", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#00838f", "#8d6e63"}

// scale maps percentiles and nanoseconds to SVG units: nines along x, decades along y.
type scale struct{ nines, low, high float64 }

func (s scale) x(nines float64) float64 {
	return curveLeft + (curveWidth-curveLeft-curveRight)*nines/s.nines
}

func (s scale) y(ns float64) float64 {
	part := (math.Log10(max(ns, 1)) - s.low) / (s.high - s.low)
	return curveHeight - curveBottom - (curveHeight-curveTop-curveBottom)*part
}

// trace is the percentile curve of one lane.
type trace struct {
	name   string
	count  int64
	low    int64
	high   int64
	points []point
}

// point says that a share of quantile per cent took at most ns.
type point struct {
	quantile float64
	ns       int64
}

// traceOf walks h's distribution from the median's left to its last sample.
func traceOf(name string, h *hdrhistogram.Histogram) trace {
	t := trace{name: name, count: h.TotalCount(), low: h.Min(), high: h.Max()}
	for _, p := range h.CumulativeDistributionWithTicks(hgrmTicks) {
		t.points = append(t.points, point{p.Quantile, p.ValueAt})
	}
	return t
}

// tracesOf leaves out what is empty.
func tracesOf(all []Series) (found []trace) {
	for _, one := range all {
		if one.Total.TotalCount() > 0 {
			found = append(found, traceOf(one.Name, one.Total))
		}
	}
	return found
}

// trace has the quoted percentiles alone, where no distribution is there.
func (l *Latency) trace(name string) trace {
	t := trace{name: name, count: l.Samples, low: l.P50, high: l.Max, points: []point{{50, l.P50}, {90, l.P90}, {99, l.P99}, {99.9, l.P999}}}
	if l.P9999 > 0 {
		t.points = append(t.points, point{99.99, l.P9999})
	}
	t.points = append(t.points, point{100, l.Max})
	return t
}

// traces are the curves of all lanes: from their distributions, or from what the report quotes.
func (r *Report) traces() (all []trace) {
	if r.lanes != nil {
		return tracesOf(r.series())
	}
	for _, row := range r.rows() {
		if row.Latency != nil {
			all = append(all, row.trace(row.name))
		}
	}
	return all
}

// curve draws the traces and, dashed, the processors' own stalls.
func curve(all []trace) template.HTML {
	if len(all) == 0 {
		return ""
	}
	s := scale{low: 9, high: 1}
	for _, t := range all {
		s.nines = max(s.nines, min(mostNines, math.Log10(float64(t.count))))
		s.low = min(s.low, math.Floor(math.Log10(float64(max(t.low, 1)))))
		s.high = max(s.high, math.Ceil(math.Log10(float64(max(t.high, 1)))))
	}
	s.nines, s.high = max(s.nines, 1), max(s.high, s.low+1)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="latency by percentile">`, curveWidth, curveHeight)
	s.grid(&b)
	var labels []label
	for i, t := range all {
		dash := ""
		if strings.HasPrefix(t.name, stallName) {
			dash = ` stroke-dasharray="5 4"`
		}
		colour := strokes[i%len(strokes)]
		x, y, path := s.path(t)
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8"%s/>`, path, colour, dash)
		labels = append(labels, label{x + 6, y + 4, colour, t.name})
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	free := 0.0 // below what is written already
	for _, l := range labels {
		y := max(l.y, free)
		free = y + labelHeight
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`, l.x, y, l.colour, template.HTMLEscapeString(l.name))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // only numbers and escaped lane names are in it
}

// label is a lane's name beside the end of its curve. One that would lie upon another moves down.
type label struct {
	x, y         float64
	colour, name string
}

const labelHeight = 13

// path is the trace in SVG units, and where it ends.
func (s scale) path(t trace) (x, y float64, path string) {
	var b strings.Builder
	for i, p := range t.points {
		nines := s.nines
		if p.quantile < 100 {
			nines = min(s.nines, -math.Log10(1-p.quantile/100))
		}
		x, y = s.x(nines), s.y(float64(p.ns))
		verb := 'L'
		if i == 0 {
			verb = 'M'
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", verb, x, y)
	}
	return x, y, b.String()
}

// grid draws the decades and the nines with their labels.
func (s scale) grid(b *strings.Builder) {
	for d := s.low; d <= s.high; d++ {
		y := s.y(math.Pow(10, d))
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="g"/>`, curveLeft, curveWidth-curveRight, y, y)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, curveLeft-8, y+4, duration(int64(math.Pow(10, d))))
	}
	for n := 0.0; n <= s.nines; n++ {
		x := s.x(n)
		label := "0 %"
		if n > 0 {
			label = fmt.Sprintf("%.*f %%", max(0, int(n)-2), 100*(1-math.Pow(10, -n)))
		}
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="g"/>`, x, x, curveTop, curveHeight-curveBottom)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x, curveHeight-curveBottom+18, label)
	}
}
