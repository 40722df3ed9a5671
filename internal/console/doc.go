// Package console shows a node in a terminal: what is shown is a function of a view.State, of the keys that were pressed, and of the size.
//
//	keys ─ Screen.Press ─► Screen ─┐
//	stats files ─► view.State ─────┴─ Screen.Lines ─ one write ─► terminal
//
// Limits: names are shown in characters that take one cell from left to right, others as their numbers; columns that do not fit are left out,
// the less telling first.
package console
