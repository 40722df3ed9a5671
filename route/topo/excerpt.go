package topo

import (
	"regexp"
	"strings"
	"unicode"
)

// excerptWidth is how much of a long line an excerpt shows.
const excerptWidth = 110

// secretKey matches a line that seems to give a secret in clear text, whatever the key is called exactly.
var secretKey = regexp.MustCompile(`(?i)(pass|pwd|secret|token|credential|private|connection_string)`)

// conceal keeps lines out of excerpts.
func (s *source) conceal(first, last int) {
	if s.hide == nil {
		s.hide = map[int]bool{}
	}
	for n := first; n <= last; n++ {
		s.hide[n] = true
	}
}

// line is line number n as an excerpt may show it: without what could be a secret.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) || s.hide[n] {
		return ""
	}
	text := s.lines[n-1]
	if secretKey.MatchString(text) {
		return ""
	}
	return text
}

// frame cuts the part of a line around column and marks width columns there. Both lines have the same indent.
func frame(line string, column, width int) (text, caret string) {
	runes := []rune(line)
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	column = min(max(column, 1), len(runes)+1)
	start := max(0, min(column-1-excerptWidth/2, len(runes)-excerptWidth))
	end := min(len(runes), start+excerptWidth)
	width = max(1, min(width, end-(column-1)))
	return string(runes[start:end]), strings.Repeat(" ", column-1-start) + strings.Repeat("^", width)
}
