package topo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of what Load takes. A file that needs more is not a topology.
const (
	MaxFile     = 1 << 20 // bytes of one file
	MaxTotal    = 4 << 20 // bytes of all files together
	MaxFiles    = 64
	MaxIncludes = 8       // files deep
	MaxNesting  = 24      // levels of one file
	MaxAliases  = 64      // in one file
	MaxItems    = 100_000 // lines, and items of lists on them, of one file: each costs memory while it is read
	MaxFindings = 500     // kept; the rest is counted
	maxVisits   = 400_000
)

// source is the text of one file.
type source struct {
	name  string
	lines []string
	hide  map[int]bool // lines that no excerpt shows
}

// lineBreaks are all that YAML ends a line at, so that lines are counted alike.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// nesting bounds the depth while the library parses, before a tree exists.
type nesting struct{}

var errNesting = errors.New("nested too deeply")

func (nesting) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > MaxNesting {
		return errNesting
	}
	return nil
}

func (nesting) CheckAlias(int, int) error { return nil } // only nodes are made here; decoder.visit counts what they expand to

// readFile takes at most MaxFile bytes of a regular file. Anything else named here could block or never end.
func readFile(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, plain(err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, nil
}

// plain takes the operation and the path off an error: the finding that shows it has them.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// parse makes the tree of a file; nil when the file is empty or a fault was noted.
func (d *decoder) parse(src *source, text []byte) *yaml.Node {
	nowhere := Position{File: src.name}
	switch at := notText(text); {
	case len(text) > MaxFile:
		d.note(Finding{Severity: Error, Rule: "file-size", At: nowhere,
			Message: fmt.Sprintf("the file has %d bytes, at most %d are read", len(text), MaxFile), Remedy: "split it with include"})
		return nil
	case at >= 0:
		line := bytes.Count(text[:at], []byte("\n")) + 1
		column := at - bytes.LastIndexByte(text[:at], '\n')
		d.note(Finding{Severity: Error, Rule: "not-text", At: Position{src.name, line, column}, Message: "the file is not UTF-8 text",
			Remedy: "is this a topology file?"})
		return nil
	}
	if items := bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte(",")); items > MaxItems {
		d.note(Finding{Severity: Error, Rule: "too-many", At: nowhere, Message: fmt.Sprintf("the file has %d lines and items, at most %d are read", items, MaxItems),
			Remedy: "split it with include"})
		return nil
	}
	src.lines = strings.Split(lineBreaks.Replace(string(text)), "\n")
	loader, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithPlugin(nesting{}))
	if err != nil {
		panic(err) // the options are constants
	}
	var root, next yaml.Node
	if err := loader.Load(&root); err == io.EOF {
		return nil
	} else if err != nil {
		d.syntax(src, err)
		return nil
	}
	switch err := loader.Load(&next); {
	case err == nil:
		d.note(Finding{Severity: Error, Rule: "many-documents", At: Position{src.name, max(next.Line, 1), max(next.Column, 1)},
			Message: "a second document begins", Remedy: "a topology file is one document; join others with include"})
		return nil
	case err != io.EOF:
		d.syntax(src, err)
		return nil
	}
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		return root.Content[0]
	}
	return nil
}

// notText is where text stops being what a person writes, -1 if it does not.
func notText(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n <= 1 || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != 0x85 {
			return i
		}
		i += n
	}
	return -1
}

// syntax notes what the library says is no YAML.
func (d *decoder) syntax(src *source, err error) {
	f := Finding{Severity: Error, Rule: "syntax", At: Position{src.name, 1, 1}, Message: err.Error()}
	var le *yaml.LoadError
	if errors.As(err, &le) {
		f.Message = le.Message
		if le.ContextMsg != "" {
			f.Message = le.ContextMsg + ": " + le.Message
		}
		f.At.Line, f.At.Column = max(le.Mark.Line, 1), max(le.Mark.Column, 1)
	}
	for f.At.Line > 1 && (f.At.Line > len(src.lines) || f.At.Line == len(src.lines) && src.lines[f.At.Line-1] == "") {
		f.At.Line = min(f.At.Line-1, len(src.lines)) // what is missing at the end is missing after the last line with anything on it
		f.At.Column = utf8.RuneCountInString(src.lines[f.At.Line-1]) + 1
	}
	switch {
	case errors.Is(err, errNesting) || strings.Contains(f.Message, errNesting.Error()):
		f.Rule, f.Message = "nesting", fmt.Sprintf("nested more than %d levels deep", MaxNesting)
	case strings.HasPrefix(strings.TrimLeft(src.lines[f.At.Line-1], " "), "\t"):
		f.Remedy = "indent with spaces"
	}
	d.note(f)
}

// bounded looks at the aliases of a tree before anybody walks it, and reports whether it may be walked. A few aliases of
// aliases can stand for more values than there is memory, so an alias does not lead to another.
func (d *decoder) bounded(root *yaml.Node) bool {
	aliases, good := 0, true
	var look func(n *yaml.Node, anchored bool)
	look = func(n *yaml.Node, anchored bool) {
		if !good {
			return
		}
		if n.Kind == yaml.AliasNode {
			aliases++
			switch {
			case anchored:
				d.fault(n, "aliases", "use profiles instead", "an alias stands within what another alias may stand for")
				good = false
			case aliases > MaxAliases:
				d.fault(n, "aliases", "use profiles instead", "more than %d aliases", MaxAliases)
				good = false
			}
			return
		}
		for _, c := range n.Content {
			look(c, anchored || n.Anchor != "")
		}
	}
	look(root, false)
	return good
}
