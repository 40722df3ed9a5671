package console

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alphapulse/transport/internal/view"
)

// Screen is what is shown of a node, and how: what keys change. The zero Screen shows the channels.
type Screen struct {
	Colour bool

	at     int // among pages
	chosen [5]string
	index  [5]int // of the chosen row, for when it is gone
	sorted [5]int // column + 1; 0: as they come
	back   [5]bool
	filter string

	typing bool // the filter
	paused bool
	help   bool
	passed int // lines of help
	closed bool
}

// Closed reports whether the key for it was pressed.
func (s Screen) Closed() bool { return s.closed }

// Paused reports whether the numbers are to stand still.
func (s Screen) Paused() bool { return s.paused }

// mostHelp is how far one can go down in a help; it ends before.
const mostHelp = 60

// mostFilter is how long a filter can be.
const mostFilter = 64

// Press is the screen after a key, as Keys names them, while it showed now.
func (s Screen) Press(key string, now *view.State) Screen {
	switch {
	case key == "ctrl-c":
		s.closed = true
	case s.typing:
		s.typed(key)
	case s.help:
		s.read(key)
	default:
		s.command(key, now)
	}
	return s
}

// typed changes the filter.
func (s *Screen) typed(key string) {
	switch n := utf8.RuneCountInString(key); {
	case key == "enter":
		s.typing = false
	case key == "esc":
		s.typing, s.filter = false, ""
	case key == "backspace" && s.filter != "":
		_, size := utf8.DecodeLastRuneInString(s.filter)
		s.filter = s.filter[:len(s.filter)-size]
	case n == 1 && len(s.filter) < mostFilter:
		s.filter += clean(key)
	}
}

// read moves through the help, or leaves it.
func (s *Screen) read(key string) {
	switch key {
	case "q":
		s.closed = true
	case "up", "k":
		s.passed = max(s.passed-1, 0)
	case "down", "j":
		s.passed = min(s.passed+1, mostHelp)
	case "?", "esc", "enter":
		s.help = false
	}
}

// page is how many rows page-up and page-down pass.
const page = 10

func (s *Screen) command(key string, now *view.State) {
	switch key {
	case "q":
		s.closed = true
	case "p":
		s.paused = !s.paused
	case "?":
		s.help, s.passed = true, 0
	case "/":
		s.typing = true
	case "esc":
		s.filter = ""
	case "tab", "right", "l":
		s.at = (s.at + 1) % len(pages)
	case "shift-tab", "left", "h":
		s.at = (s.at + len(pages) - 1) % len(pages)
	case "1", "2", "3", "4", "5":
		s.at = int(key[0] - '1')
	case "s":
		s.sorted[s.at] = (s.sorted[s.at] + 1) % (len(pages[s.at].of(&view.State{}).columns) + 1)
	case "S":
		s.back[s.at] = !s.back[s.at]
	case "up", "k":
		s.move(now, -1)
	case "down", "j":
		s.move(now, 1)
	case "page-up":
		s.move(now, -page)
	case "page-down":
		s.move(now, page)
	case "home", "g":
		s.move(now, -1<<30)
	case "end", "G":
		s.move(now, 1<<30)
	}
}

// move chooses another row.
func (s *Screen) move(now *view.State, by int) {
	t := s.table(now)
	if len(t.rows) == 0 {
		return
	}
	i := min(max(s.row(t)+by, 0), len(t.rows)-1)
	s.index[s.at], s.chosen[s.at] = i, t.rows[i].key
}

// table is what the view has to show, sorted and filtered.
func (s *Screen) table(now *view.State) table {
	t := pages[s.at].of(now)
	t.pick(s.filter)
	if by := s.sorted[s.at]; by > 0 {
		t.sort(by-1, s.back[s.at])
	} else if s.back[s.at] {
		slices.Reverse(t.rows)
	}
	return t
}

// row is the index of the chosen row: where it is now, or, if it is gone, what stands in its place.
func (s *Screen) row(t table) int {
	if i := slices.IndexFunc(t.rows, func(r row) bool { return r.key == s.chosen[s.at] }); i >= 0 {
		return i
	}
	return min(s.index[s.at], len(t.rows)-1)
}

var keysHelp = strings.Split(`1-5 tab      another view
arrows j k   another row; page up, page down, home and end, too
s S          sort by the next column; turn the order round
/            show only rows with what you type; enter keeps it, esc shows all
p            the numbers stand still, or go on
?            this help, or back
q ctrl-c     leave`, "\n")
