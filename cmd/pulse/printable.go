package main

import (
	"io"
	"unicode"
)

// printable has what a terminal would act upon written as question marks. Names of files and readers are others' choice: anybody may put a directory
// where nodes are looked for.
type printable struct{ io.Writer }

// Write writes whole characters: none is divided between two calls.
func (p printable) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.Writer, inPrint(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

func inPrint(text string) string {
	out := []rune(text)
	for i, r := range out {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			out[i] = '?'
		}
	}
	return string(out)
}
