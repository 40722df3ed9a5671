package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alphapulse/transport/internal/view"
)

// Lines are what a terminal of a size shows, at most height of them and none wider than width.
func (s Screen) Lines(now *view.State, width, height int) []string {
	if width < 1 || height < 1 {
		return nil
	}
	top := []line{title(now, s.paused), s.tabs()}
	var middle, bottom []line
	if s.help {
		all := s.helpLines(width)
		middle, bottom = all[min(s.passed, max(len(all)-(height-len(top)-2), 0)):], []line{nil, {{" ? back   q leave", faint}}}
	} else {
		var head line
		head, middle, bottom = s.rows(now, width, height-len(top)-3)
		top = append(top, head)
	}
	room := max(height-len(top)-len(bottom), 0)
	middle = middle[:min(len(middle), room)]
	for len(middle) < room {
		middle = append(middle, nil)
	}
	all := slices.Concat(top, middle, bottom)
	out := make([]string, min(len(all), height))
	for i := range out {
		out[i] = all[i].paint(width, s.Colour)
	}
	return out
}

// rows are the view's head, as many of its lines as there is room for, the chosen one among them, and what is said below.
func (s *Screen) rows(now *view.State, width, room int) (head line, middle, bottom []line) {
	t := s.table(now)
	i := s.row(t)
	head, middle, where := t.lines(width, i, s.sorted[s.at]-1)
	said := line{}
	if len(t.rows) == 0 {
		text := t.none
		if s.filter != "" {
			text = "no row has " + fmt.Sprintf("%q", s.filter)
		}
		middle = []line{nil, {{"  " + text, faint}}}
	} else {
		if last := where[i] + len(t.rows[i].more); last >= room {
			middle = middle[min(last-room+1, where[i]):]
		}
		said = line{{" " + clean(explain(t.rows[i].help)), normal}}
	}
	keys := line{{" 1-5 view  j k row  s sort  / filter  p pause  ? help  q leave", faint}}
	switch {
	case s.typing:
		keys = line{{" filter: ", strong}, {s.filter, normal}, {"_", chosen}, {"   enter keeps it, esc shows all", faint}}
	case s.filter != "":
		keys = append(line{{" only " + fmt.Sprintf("%q", s.filter), warned}, {"  esc shows all ", faint}}, keys...)
	}
	return head, middle, []line{said, keys}
}

// title says which node this is, and how it does.
func title(now *view.State, paused bool) line {
	name := clean(now.Node)
	if name == "" {
		name = "(no topology)"
	}
	l := line{{" pulse top  ", strong}, {name, strong}}
	if now.Topology != "" {
		l = append(l, piece{"  topology " + clean(now.Topology), faint})
	}
	l = append(l, piece{"  ", normal})
	if len(now.Processes) == 0 {
		l = append(l, piece{"nothing is told here any more", wrong})
	} else {
		l = append(l, piece{string(now.Health.State), tone(now.Health.State)})
		if n := len(now.Health.Faults); n > 0 {
			l = append(l, piece{fmt.Sprintf(" (%d)", n), tone(now.Health.State)})
		}
		if !slices.ContainsFunc(now.Processes, func(p view.Process) bool { return p.Alive }) {
			l = append(l, piece{"  all its processes are gone: their last words", warned})
		}
	}
	if now.Unkept > 0 {
		l = append(l, piece{"  " + number(now.Unkept) + " numbers found no room and are missing", wrong})
	}
	l = append(l, piece{"  " + now.At.Format(time.TimeOnly), faint})
	if paused {
		l = append(l, piece{"  paused", warned})
	}
	return l
}

func (s *Screen) tabs() line {
	l := line{}
	for i, p := range pages {
		is, left, right := faint, " ", " "
		if i == s.at {
			is, left, right = chosen, "[", "]"
		}
		l = append(l, piece{fmt.Sprintf("%s%d %s%s", left, i+1, p.name, right), is})
	}
	return l
}

// helpLines are the keys, and what the columns of the view mean; where counters are rows, all that can be.
func (s *Screen) helpLines(width int) (all []line) {
	for _, k := range keysHelp {
		all = append(all, line{{"  " + k, normal}})
	}
	all = append(all, nil)
	for _, c := range pages[s.at].of(&view.State{}).columns {
		all = append(all, meaning(c.head, 10, c.help, width)...)
	}
	if pages[s.at].name == "drops" {
		all = append(all, nil)
		for _, name := range view.Drops() {
			all = append(all, meaning(words(name), 24, name, width)...)
		}
	}
	return all
}

// meaning is a word and what it means, in as many lines as that takes.
func meaning(word string, cells int, help string, width int) (all []line) {
	head := fmt.Sprintf("  %-*s  ", cells, word)
	next := piece{head, strong}
	text := ""
	for w := range strings.FieldsSeq(explain(help)) {
		if text != "" && utf8.RuneCountInString(head+text+" "+w) > width {
			all = append(all, line{next, {text, normal}})
			next, text = piece{strings.Repeat(" ", len(head)), normal}, ""
		}
		if text != "" {
			text += " "
		}
		text += w
	}
	return append(all, line{next, {text, normal}})
}

// Text is all views of a state, one after another, as wide as they are.
func Text(now *view.State) string {
	var b strings.Builder
	put := func(l line) { b.WriteString(l.paint(0, false) + "\n") }
	put(title(now, false))
	for _, p := range pages {
		t := p.of(now)
		put(nil)
		put(line{{p.name, normal}})
		if len(t.rows) == 0 {
			put(line{{"  " + t.none, normal}})
			continue
		}
		head, body, _ := t.lines(0, -1, -1)
		put(head)
		for _, l := range body {
			put(l)
		}
	}
	return b.String()
}
