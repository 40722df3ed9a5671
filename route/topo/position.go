package topo

import "fmt"

// Position is a place in a file. Line and Column begin at 1; the zero Position is nowhere.
type Position struct {
	File         string
	Line, Column int
}

// IsValid reports whether p is somewhere.
func (p Position) IsValid() bool { return p.Line > 0 }

// String is file:line:column, as editors and terminals link it.
func (p Position) String() string {
	if !p.IsValid() {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Origin says where an effective value came from.
type Origin struct {
	Value string // as it would be written; secrets are not shown
	From  string // "built in", "defaults", "profile NAME", "channel", "transport_config"
	At    Position
}

// String is the value with where it came from.
func (o Origin) String() string {
	if !o.At.IsValid() {
		return o.Value + " (" + o.From + ")"
	}
	return o.Value + " (" + o.From + ", " + o.At.String() + ")"
}
