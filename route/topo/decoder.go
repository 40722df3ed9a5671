package topo

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// decoder walks the trees of one Load and notes everything that is wrong.
type decoder struct {
	env     func(string) (string, bool)
	src     *source // the file being walked
	sources map[string]*source
	order   []string // file names as they were opened, for the order of findings
	notes   Findings
	said    map[said]bool
	more    int             // notes beyond MaxFindings
	spots   map[string]spot // of values, by path from the root of the file
	visits  int
	stopped bool // too many visits: nothing else is said
}

// said is what makes two findings the same: an alias can lead to one value many times.
type said struct {
	at            Position
	rule, message string
}

// spot is a place with the width of what stands there.
type spot struct {
	Position
	width int
}

func newDecoder(env func(string) (string, bool)) *decoder {
	if env == nil {
		env = os.LookupEnv
	}
	return &decoder{env: env, sources: map[string]*source{}, said: map[said]bool{}, spots: map[string]spot{}}
}

func (d *decoder) spotOf(n *yaml.Node) spot {
	w := 1
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "\n") {
		w = max(utf8.RuneCountInString(n.Value), 1)
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			w += 2
		}
	}
	return spot{Position{d.src.name, n.Line, n.Column}, w}
}

func (d *decoder) note(f Finding) {
	if len(d.notes) >= MaxFindings {
		d.more++
		return
	}
	f.Message, f.Remedy = printable(f.Message), printable(f.Remedy)
	key := said{f.At, f.Rule, f.Message}
	if d.said[key] {
		return
	}
	d.said[key] = true
	f.Width = max(f.Width, 1)
	d.notes = append(d.notes, f)
}

// fault notes an error at a node of the current file.
func (d *decoder) fault(n *yaml.Node, rule, remedy, format string, args ...any) {
	d.at(d.spotOf(n), Error, rule, remedy, format, args...)
}

func (d *decoder) warn(n *yaml.Node, rule, remedy, format string, args ...any) {
	d.at(d.spotOf(n), Warning, rule, remedy, format, args...)
}

func (d *decoder) at(s spot, severity Severity, rule, remedy, format string, args ...any) {
	if !d.stopped {
		d.note(Finding{Severity: severity, Rule: rule, At: s.Position, Width: s.width, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	}
}

// resolve follows an alias and counts the visit: a few aliases of aliases can stand for more values than there is memory.
// nil means that the walk ends here.
func (d *decoder) resolve(n *yaml.Node) *yaml.Node {
	if d.visits++; d.visits > maxVisits && !d.stopped {
		d.fault(n, "aliases", "use profiles instead", "more than %d values, most of them by alias", maxVisits)
		d.stopped = true
	}
	if d.stopped {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil || n.Alias.Kind == yaml.AliasNode {
			return nil
		}
		n = n.Alias
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.fault(n, "tag", "leave the tag out", "the tag %.40q is not used here", n.Tag)
		return nil
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pairs calls f for each key of a mapping that is a plain word and stands there once. nil nodes count as empty.
func (d *decoder) pairs(n *yaml.Node, what, path string, f func(key string, k, v *yaml.Node)) {
	if n = d.resolve(n); n == nil || isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, "wrong-kind", "write keys and values below it", "%s is %s, not keys and values", what, kindOf(n))
		return
	}
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key := k.Value
		switch line, twice := first[key]; {
		case k.Kind != yaml.ScalarNode:
			d.fault(k, "wrong-kind", "a key is a word", "a key of %s is %s", what, kindOf(k))
		case k.Tag == "!!merge":
			d.fault(k, "merge-key", "use profiles instead", "merge keys are not used here")
		case twice:
			d.fault(k, "duplicate-key", "keep one of them", "%s stands twice in %s, first in line %d", quoted(key), what, line)
		default:
			first[key] = k.Line
			d.spots[join(path, key)] = d.spotOf(k)
			f(key, k, v)
		}
	}
}

// items calls f for each item of a list. A single value counts as a list of one where alone is true.
func (d *decoder) items(n *yaml.Node, what string, alone bool, f func(i int, v *yaml.Node)) {
	if n = d.resolve(n); n == nil || isNull(n) {
		return
	}
	if alone && n.Kind != yaml.SequenceNode {
		f(0, n)
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(n, "wrong-kind", "write a list: [a, b]", "%s is %s, not a list", what, kindOf(n))
		return
	}
	for i, v := range n.Content {
		if d.stopped {
			return
		}
		f(i, v)
	}
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case isNull(n):
		return "empty"
	}
	return "the value " + quoted(n.Value)
}

// quoted shows a word of the file, shortened, with nothing in it that a terminal would obey.
func quoted(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		s = string([]rune(s)[:40]) + "…"
	}
	return strconv.Quote(s)
}

// printable takes out what a terminal would obey: names of the file stand in messages.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// findings is everything noted, in the order of the files, with the lines they are about.
func (d *decoder) findings() Findings {
	file := func(f Finding) int { return slices.Index(d.order, f.At.File) }
	slices.SortStableFunc(d.notes, func(a, b Finding) int {
		return cmp.Or(file(a)-file(b), a.At.Line-b.At.Line, a.At.Column-b.At.Column)
	})
	for i := range d.notes {
		f := &d.notes[i]
		if src := d.sources[f.At.File]; src != nil && f.At.IsValid() {
			f.Excerpt = src.line(f.At.Line)
		}
	}
	if d.more > 0 {
		last := d.notes[len(d.notes)-1].At
		d.notes = append(d.notes, Finding{Severity: Error, Rule: "too-many", At: Position{File: last.File}, Width: 1,
			Message: fmt.Sprintf("%d more findings are not shown", d.more), Remedy: "mend these first"})
	}
	return d.notes
}
