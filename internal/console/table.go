package console

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alphapulse/transport/route/watch"
)

// style is how a piece of text stands out: the terminal's code for it.
type style string

const (
	normal style = ""
	faint  style = "2"
	strong style = "1"
	chosen style = "7"
	good   style = "32"
	warned style = "33"
	wrong  style = "31"
)

// piece is text of one style.
type piece struct {
	text  string
	style style
}

// line is what stands in one row of the screen.
type line []piece

// paint is the line, cut at a width; 0 is as wide as it takes.
func (l line) paint(width int, colour bool) string {
	var b strings.Builder
	left := width
	for _, p := range l {
		text := p.text
		if n := utf8.RuneCountInString(text); width > 0 && n > left {
			text = string([]rune(text)[:left])
		}
		left -= utf8.RuneCountInString(text)
		if text == "" {
			continue
		}
		if colour && p.style != normal {
			text = "\x1b[" + string(p.style) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	if colour {
		return b.String()
	}
	return strings.TrimRight(b.String(), " ")
}

// column is one of a table's.
type column struct {
	head  string
	right bool
	least int    // cells at least, so that columns stand still while numbers change
	spare int    // where there is no room, the highest goes first; 0 stays
	help  string // a metric, or a sentence
}

// cell is one of a row's.
type cell struct {
	text  string
	by    float64 // what it is sorted by, where it is a number
	style style
}

// row is what can be selected: one line, and what else belongs to it.
type row struct {
	key   string
	cells []cell
	more  [][]cell
	help  string // said of it while it is selected: a metric, or a sentence
}

// table is what a view shows.
type table struct {
	columns []column
	rows    []row
	none    string // said where there are no rows
}

// explain is the sentence that a metric's name stands for, or the sentence itself.
func explain(help string) string {
	if m, ok := watch.Find(help); ok {
		return m.Help
	}
	return help
}

// pick keeps the rows in which a text occurs.
func (t *table) pick(filter string) {
	if filter == "" {
		return
	}
	filter = strings.ToLower(filter)
	t.rows = slices.DeleteFunc(t.rows, func(r row) bool {
		return !slices.ContainsFunc(slices.Concat(append(r.more, r.cells)...), func(c cell) bool { return strings.Contains(strings.ToLower(c.text), filter) })
	})
}

// sort orders the rows by a column: numbers from the most, texts from the first; back turns that round.
func (t *table) sort(by int, back bool) {
	slices.SortStableFunc(t.rows, func(a, b row) int {
		order := strings.Compare(a.cells[by].text, b.cells[by].text)
		if t.columns[by].right {
			order = cmp.Compare(b.cells[by].by, a.cells[by].by)
		}
		if back {
			return -order
		}
		return order
	})
}

const gap = "  "

// lines are the head and the rows, each row's own first line marked where it is the selected one; where says at which of the lines each row begins.
func (t *table) lines(width, selected, sorted int) (head line, body []line, where []int) {
	widths := t.widths()
	for width > 0 && t.total(widths) > width {
		most := 0
		for i, c := range t.columns {
			if widths[i] > 0 && c.spare > t.columns[most].spare {
				most = i
			}
		}
		if t.columns[most].spare == 0 || widths[most] == 0 {
			break
		}
		widths[most] = 0
	}
	heads := make([]cell, len(t.columns))
	for i, c := range t.columns {
		heads[i] = cell{text: c.head, style: faint}
		if i == sorted {
			heads[i].style = strong
		}
	}
	head = append(line{{" ", normal}}, t.line(heads, widths)...)
	for i, r := range t.rows {
		where = append(where, len(body))
		mark := piece{" ", normal}
		if i == selected {
			mark = piece{">", strong}
		}
		one := append(line{mark}, t.line(r.cells, widths)...)
		if i == selected {
			for j := range one {
				one[j].style = chosen
			}
		}
		body = append(body, one)
		for _, m := range r.more {
			body = append(body, append(line{{" ", normal}}, t.line(m, widths)...))
		}
	}
	return head, body, where
}

func (t *table) line(cells []cell, widths []int) (l line) {
	for i, c := range cells {
		if widths[i] == 0 {
			continue
		}
		pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(c.text), 0))
		if t.columns[i].right {
			l = append(l, piece{pad, normal}, piece{c.text, c.style})
		} else {
			l = append(l, piece{c.text, c.style}, piece{pad, normal})
		}
		l = append(l, piece{gap, normal})
	}
	return l
}

func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = max(c.least, utf8.RuneCountInString(c.head))
	}
	for _, r := range t.rows {
		for _, cells := range append(r.more, r.cells) {
			for i, c := range cells {
				widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
			}
		}
	}
	return widths
}

func (t *table) total(widths []int) int {
	n := 1 - len(gap) // the mark; the last gap may be cut
	for _, w := range widths {
		if w > 0 {
			n += w + len(gap)
		}
	}
	return n
}
