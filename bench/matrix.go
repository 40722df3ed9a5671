package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
)

// Matrix is the runs of several workloads, or several runs of one, shown on one page.
type Matrix struct {
	Title   string
	Reports []*Report
}

//go:embed matrix.html
var matrixText string

var matrixPage = template.Must(template.Must(page.Clone()).New("matrix").Parse(matrixText))

// shownWorkload is all runs of one workload.
type shownWorkload struct {
	Name  string
	Curve template.HTML // the subject of each run, where there are several
	Runs  []shownReport
}

// WriteHTML writes the matrix as one page that carries everything it shows.
func (m Matrix) WriteHTML(w io.Writer) error {
	view := struct {
		Title     string
		Hosts     []string
		Rows      [][]string
		Workloads []shownWorkload
	}{Title: m.Title}
	byName := map[string][]*Report{}
	for _, r := range m.Reports {
		byName[r.Workload] = append(byName[r.Workload], r)
		if h := r.Host.String(); !slices.Contains(view.Hosts, h) {
			view.Hosts = append(view.Hosts, h)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		one := shownWorkload{Name: name}
		var subjects []trace
		for i, r := range byName[name] {
			one.Runs = append(one.Runs, r.shown())
			l := r.Subject.Latency
			cells := append([]string{fmt.Sprintf("%s, run %d", name, i+1), r.Commit}, l.Cells()...)
			view.Rows = append(view.Rows, append(cells, rateCell(r.Subject)))
			label := fmt.Sprintf("run %d", i+1)
			switch t := r.lanes[r.Lane]; {
			case t != nil && t.total.TotalCount() > 0:
				subjects = append(subjects, traceOf(label, t.total))
			case l != nil:
				subjects = append(subjects, l.trace(label))
			}
		}
		if len(one.Runs) > 1 {
			one.Curve = curve(subjects)
		}
		view.Workloads = append(view.Workloads, one)
	}
	return matrixPage.Execute(w, view)
}
