package topo

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTopology says that a topology is wrong; the text lists every error. The caller mends the file.
var ErrTopology = errors.New("topology")

// Severity says what a Finding means for the file.
type Severity uint8

// The severities.
const (
	Warning Severity = 1 + iota // the file loads
	Error                       // it does not
)

// String is "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one thing that is wrong or risky, and what mends it.
type Finding struct {
	Severity Severity
	Rule     string // stable, such as "unknown-key"
	At       Position
	Message  string // what is wrong
	Remedy   string // what mends it; may be empty
	Excerpt  string // the line of At; empty where it may show a secret
	Width    int    // of what the caret underlines, at least 1
}

// String is the finding on one line, with its place first.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s: %s", f.At, f.Severity, f.Message)
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	return s + " [" + f.Rule + "]"
}

// Findings is what Load has to say, in the order of the file.
type Findings []Finding

// Err is nil if there is no Error among fs, otherwise ErrTopology with all of them.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs {
		if f.Severity == Error {
			lines = append(lines, f.String())
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrTopology, strings.Join(lines, "\n"))
}
