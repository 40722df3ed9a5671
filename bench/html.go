package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

//go:embed report.html
var pageText string

//go:embed style.html
var styleText string

var page = template.Must(template.Must(template.New("report").Parse(pageText)).Parse(styleText))

// WriteHTML writes the report as one page that carries everything it shows.
func (r *Report) WriteHTML(w io.Writer) error {
	type line struct{ Name, Cells string }
	view := struct {
		*Report
		Curve  template.HTML
		Rows   []htmlRow
		Ratios []line
		Facts  []line
	}{Report: r, Curve: curve(r.series())}
	for i, row := range r.rows() {
		cells := strings.Split(latencyCells(row.Latency)+rateCell(row.Figures)+"\t"+allocsCell(row), "\t")
		view.Rows = append(view.Rows, htmlRow{row.name, i == 0, cells})
	}
	for _, q := range r.quotients() {
		view.Ratios = append(view.Ratios, line{q.name, q.cells()})
	}
	view.Facts = []line{
		{"machine", r.Host.String()},
		{"memory", fmt.Sprintf("%d MiB", r.Host.MemoryKB>>10)},
		{"clock step", fmt.Sprintf("%.1f ns", r.Host.ClockStep)},
		{"commit", r.Commit},
		{"seed", fmt.Sprint(r.Seed)},
		{"started", r.Started.UTC().Format("2006-01-02 15:04:05 MST")},
		{"run", fmt.Sprintf("%.1f s, %d rounds, slices of %.0f ms, %d process(es)", r.Seconds, r.Rounds, float64(r.SliceNS)/1e6, r.Processes)},
		{"garbage collector", fmt.Sprintf("%d cycles, %d pauses, median %s, longest %s, heap %d KiB, GOMAXPROCS %d",
			r.GC.Cycles, r.GC.Pauses, duration(r.GC.P50NS), duration(r.GC.MaxNS), r.GC.HeapKiB, r.Host.MaxProcs)},
	}
	return page.Execute(w, view)
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

// curve draws the percentile curve of every series that is not empty and, dashed, the processors' own stalls.
func curve(all []Series) template.HTML {
	var names []string
	var hists []*hdrhistogram.Histogram
	for _, one := range all {
		if one.Total.TotalCount() > 0 {
			names, hists = append(names, one.Name), append(hists, one.Total)
		}
	}
	if len(hists) == 0 {
		return ""
	}
	s := scale{low: 9, high: 1}
	for _, h := range hists {
		s.nines = max(s.nines, min(mostNines, math.Log10(float64(h.TotalCount()))))
		s.low = min(s.low, math.Floor(math.Log10(float64(max(h.Min(), 1)))))
		s.high = max(s.high, math.Ceil(math.Log10(float64(max(h.Max(), 1)))))
	}
	s.nines, s.high = max(s.nines, 1), max(s.high, s.low+1)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="latency by percentile">`, curveWidth, curveHeight)
	s.grid(&b)
	for i, h := range hists {
		dash := ""
		if strings.HasPrefix(names[i], stallName) {
			dash = ` stroke-dasharray="5 4"`
		}
		colour := strokes[i%len(strokes)]
		x, y, path := s.path(h)
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.8"%s/>`, path, colour, dash)
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`, x+6, y+4, colour, template.HTMLEscapeString(names[i]))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // only numbers and escaped lane names are in it
}

// path walks h's distribution from the median's left to its last sample.
func (s scale) path(h *hdrhistogram.Histogram) (x, y float64, path string) {
	var b strings.Builder
	for i, p := range h.CumulativeDistributionWithTicks(hgrmTicks) {
		nines := s.nines
		if p.Quantile < 100 {
			nines = min(s.nines, -math.Log10(1-p.Quantile/100))
		}
		x, y = s.x(nines), s.y(float64(p.ValueAt))
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
