package topo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Loader reads topology files. The zero Loader is valid.
type Loader struct {
	// Env looks up ${VAR}. nil means os.LookupEnv.
	Env func(name string) (string, bool)
}

// Load reads a topology file and the files it includes. The topology is never nil; it is whole only if Findings.Err is nil.
func Load(path string) (*Topology, Findings) { return Loader{}.Load(path) }

// Load reads a topology file and the files it includes.
func (l Loader) Load(path string) (*Topology, Findings) {
	d := newDecoder(l.Env)
	g := &gathering{d: d}
	text, err := readFile(path, MaxFile)
	if err != nil {
		d.order = append(d.order, path)
		d.note(Finding{Severity: Error, Rule: "unreadable", At: Position{File: path}, Message: "the file cannot be read: " + err.Error(),
			Remedy: "name a topology file"})
		return &Topology{}, d.findings()
	}
	g.file(path, text, nil)
	return g.done()
}

// Parse reads the text of a topology file. name stands in positions, and includes are relative to it.
func (l Loader) Parse(name string, text []byte) (*Topology, Findings) {
	g := &gathering{d: newDecoder(l.Env)}
	g.file(name, text, nil)
	return g.done()
}

// gathering collects what one file and those it includes say.
type gathering struct {
	d     *decoder
	doc   document
	total int
}

// file walks one file, after those it includes. chain is the files that led here, the first one first.
func (g *gathering) file(name string, text []byte, chain []string) {
	d := g.d
	src := &source{name: name}
	d.sources[name], d.order = src, append(d.order, name)
	before := d.src
	d.src = src
	defer func() { d.src = before }()
	if g.total += len(text); g.total > MaxTotal {
		d.note(Finding{Severity: Error, Rule: "total-size", At: Position{File: name}, Message: fmt.Sprintf("all files together have more than %d bytes", MaxTotal)})
		return
	}
	root := d.parse(src, text)
	if root == nil || root.Tag == "!!null" || root.Kind == yaml.MappingNode && len(root.Content) == 0 {
		if d.notes == nil && chain == nil {
			d.note(Finding{Severity: Error, Rule: "empty", At: Position{name, 1, 1}, Message: "the file says nothing", Remedy: "pulse init prints a file to begin with"})
		}
		return
	}
	if !d.bounded(root) {
		return
	}
	sets := fileTable().read(d, root, "")
	var own document
	apply(&own, sets)
	for i, inc := range own.include {
		g.include(inc, d.spots[index("include", i)], append(slices.Clone(chain), name))
	}
	apply(&g.doc, sets)
}

// include walks a file that another one names, once.
func (g *gathering) include(inc string, at spot, chain []string) {
	d := g.d
	name := filepath.Join(filepath.Dir(d.src.name), inc)
	switch loop := slices.Index(chain, name); {
	case filepath.IsAbs(inc):
		d.at(at, Error, "include", "name it relative to this file", "an included file has an absolute path")
	case loop >= 0:
		d.at(at, Error, "include-cycle", "take one of the includes out", "files include each other: %s", strings.Join(append(chain[loop:], name), " → "))
	case d.sources[name] != nil: // by another way already
	case len(chain) > MaxIncludes:
		d.at(at, Error, "include", "include files from the first one", "files include each other more than %d deep", MaxIncludes)
	case len(d.order) >= MaxFiles:
		d.at(at, Error, "include", "put some together", "more than %d files", MaxFiles)
	default:
		text, err := readFile(name, MaxFile)
		if err != nil {
			d.at(at, Error, "include", "the path is relative to "+filepath.Dir(d.src.name), "%s cannot be read: %v", quoted(name), err)
			return
		}
		g.file(name, text, chain)
	}
}

// done puts the topology together and checks it. What is wrong with single values is said first: checks of the whole
// would only repeat it.
func (g *gathering) done() (*Topology, Findings) {
	d := g.d
	t := g.doc.assemble(d)
	if !d.stopped {
		newChecks(d, &g.doc, t).run()
	}
	return t, d.findings()
}
