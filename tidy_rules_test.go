package transport_test

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// rule is one promise about the tree; find names each place that breaks it.
type rule struct {
	name, why string
	find      func(*tree) []string
}

// source is one file of the tree.
type source struct {
	path   string // slash-separated, relative to the module
	text   string
	syntax *ast.File // nil unless Go
}

// tree is the module's files, by path.
type tree struct {
	fset  *token.FileSet
	files []*source
	fault []string // Go files that do not parse
}

// readTree loads what git tracks or would track; without git (a source archive) everything outside build output.
func readTree(t *testing.T, root string) *tree {
	t.Helper()
	texts := map[string]string{}
	for _, p := range listFiles(t, root) {
		b, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			continue // deleted but still tracked
		}
		if !utf8.Valid(b) {
			b = nil // a picture, say: pages link to it
		}
		texts[p] = string(b)
	}
	return newTree(texts)
}

func listFiles(t *testing.T, root string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	if out, err := cmd.Output(); err == nil {
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	}
	var all []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin", "report", "vendor"}, d.Name()) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			all = append(all, filepath.ToSlash(p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newTree(texts map[string]string) *tree {
	tr := &tree{fset: token.NewFileSet()}
	for p, text := range texts {
		s := &source{path: p, text: text}
		if strings.HasSuffix(p, ".go") {
			f, err := parser.ParseFile(tr.fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				tr.fault = append(tr.fault, err.Error())
				continue
			}
			s.syntax = f
		}
		tr.files = append(tr.files, s)
	}
	slices.SortFunc(tr.files, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	return tr
}

// dir is the package's path in the module, "" for the root.
func (s *source) dir() string {
	if d := path.Dir(s.path); d != "." {
		return d
	}
	return ""
}

func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s *source) imports() []string {
	var all []string
	for _, i := range s.syntax.Imports {
		all = append(all, strings.Trim(i.Path.Value, `"`))
	}
	return all
}

// goFiles calls f for each Go file of the module itself: test data is somebody else's code.
func (tr *tree) goFiles(f func(*source)) {
	for _, s := range tr.files {
		if s.syntax != nil && !strings.Contains("/"+s.path, "/testdata/") {
			f(s)
		}
	}
}

func (tr *tree) at(n ast.Node) string {
	p := tr.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// under reports whether the package path p is dir or lies below it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// inModule turns an import path into a package path of the module.
func inModule(imp string) (string, bool) {
	if imp == module {
		return "", true
	}
	return strings.CutPrefix(imp, module+"/")
}

// thirdParty: neither the module's nor the standard library's.
func thirdParty(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	_, ours := inModule(imp)
	return strings.Contains(first, ".") && !ours
}

// floorOf is the height of the longest listed path that p is under.
func floorOf(p string) (floor int, known bool) {
	longest := -1
	for _, f := range floors {
		if len(f.path) > longest && (p == f.path || f.path != "" && under(p, f.path)) {
			floor, longest = f.floor, len(f.path)
		}
	}
	return floor, longest >= 0
}

func importsLookDown(tr *tree) (found []string) {
	found = append(found, tr.fault...)
	tr.goFiles(func(s *source) {
		from, known := floorOf(s.dir())
		if !known {
			found = append(found, s.path+": its package has no floor; add it to floors with a reason")
			return
		}
		for _, imp := range s.imports() {
			to, ours := inModule(imp)
			if !ours || s.isTest() && to == s.dir() {
				continue
			}
			if floor, _ := floorOf(to); floor >= from && !(floor == from && sameFamily(s.dir(), to)) {
				found = append(found, fmt.Sprintf("%s: floor %d imports %q on floor %d", s.path, from, to, floor))
			}
		}
	})
	return found
}

// sameFamily: a package and what lies below it share a listed path, and with it their height.
func sameFamily(a, b string) bool { return a != "" && b != "" && (under(a, b) || under(b, a)) }

// reach is every import of the packages under dir, followed through the module, without tests. Each comes with
// the file that imports it.
func (tr *tree) reach(dir string, exact bool) map[string]string {
	direct := map[string]map[string]string{} // package → import → file
	tr.goFiles(func(s *source) {
		if s.isTest() {
			return
		}
		if direct[s.dir()] == nil {
			direct[s.dir()] = map[string]string{}
		}
		for _, imp := range s.imports() {
			direct[s.dir()][imp] = s.path
		}
	})
	reached, seen := map[string]string{}, map[string]bool{}
	var follow func(p string)
	follow = func(p string) {
		if seen[p] {
			return
		}
		seen[p] = true
		for imp, file := range direct[p] {
			if _, had := reached[imp]; !had {
				reached[imp] = file
			}
			if next, ours := inModule(imp); ours {
				follow(next)
			}
		}
	}
	for p := range direct {
		if p == dir || !exact && dir != "" && under(p, dir) {
			follow(p)
		}
	}
	return reached
}

func hotWingStandsAlone(tr *tree) (found []string) {
	for dir, allowed := range hotWing {
		for imp, file := range tr.reach(dir, true) {
			ok := !thirdParty(imp) || slices.ContainsFunc(allowed, func(a string) bool { return under(imp, a) })
			if !ok {
				found = append(found, fmt.Sprintf("%s: imports %s, and %s reaches it", file, imp, dir))
			}
		}
	}
	slices.Sort(found)
	return found
}

func wingsStayApart(tr *tree) (found []string) {
	for _, a := range apart {
		for imp, file := range tr.reach(a.from, false) {
			target, ours := inModule(imp)
			if !ours {
				target = imp
			}
			if under(target, a.to) {
				found = append(found, fmt.Sprintf("%s: imports %s, and %q reaches it: %s", file, imp, a.from, a.why))
			}
		}
	}
	slices.Sort(found)
	return found
}

// systemNames are words, not calls: signals, which os/signal needs and os does not name, error numbers, which errors.Is
// recognises, and WaitStatus, from which a parent learns of a kill.
var systemNames = regexp.MustCompile(`^(SIG[A-Z0-9]+|Signal|E[A-Z0-9]+|Errno|WaitStatus)$`)

// systemSuffix matches a file name that is a build constraint by itself.
var systemSuffix = regexp.MustCompile(`_(linux|darwin|windows|freebsd|unix|amd64|arm64|riscv64)(_test)?\.go$`)

func oneCellar(tr *tree) (found []string) {
	for _, s := range tr.files {
		if strings.HasSuffix(s.path, ".s") && !under(s.dir(), "internal/sys") {
			found = append(found, s.path+": assembly outside internal/sys")
		}
	}
	tr.goFiles(func(s *source) {
		if under(s.dir(), "internal/sys") || s.isTest() && excused[s.path] != "" {
			return
		}
		if systemSuffix.MatchString(s.path) {
			found = append(found, s.path+": a file name that is a build tag, outside internal/sys")
		}
		for _, imp := range s.imports() {
			if imp == "unsafe" || imp == "C" || under(imp, "golang.org/x/sys") {
				found = append(found, fmt.Sprintf("%s: imports %s outside internal/sys", s.path, imp))
			}
		}
		eachSelector(s.syntax, func(pkg, name string, n ast.Node) {
			if pkg == "syscall" && !systemNames.MatchString(name) {
				found = append(found, fmt.Sprintf("%s: syscall.%s outside internal/sys", tr.at(n), name))
			}
		})
		for _, group := range s.syntax.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname ") || constraint.IsGoBuild(c.Text) && !onlyDebugTags(c.Text) {
					found = append(found, fmt.Sprintf("%s: %s outside internal/sys", tr.at(c), c.Text))
				}
			}
		}
	})
	return found
}

// onlyDebugTags: race and invariants choose how much is checked, not for which system.
func onlyDebugTags(line string) bool {
	x, err := constraint.Parse(line)
	if err != nil {
		return false
	}
	ok := true
	x.Eval(func(tag string) bool { // shown every tag, whatever the answers
		ok = ok && (tag == "race" || tag == "invariants")
		return true
	})
	return ok
}

// eachSelector calls f for each x.Name where x is a plain identifier, as in time.Now.
func eachSelector(root ast.Node, f func(pkg, name string, n ast.Node)) {
	ast.Inspect(root, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				f(x.Name, sel.Sel.Name, n)
			}
		}
		return true
	})
}

var hotFile = regexp.MustCompile(`(^|/)(writer|reader|sender|receiver|frame|publisher|subscriber)\.go$`)

func hotFilesStayPlain(tr *tree) (found []string) {
	tr.goFiles(func(s *source) {
		top, _, _ := strings.Cut(s.dir(), "/")
		if !hotFile.MatchString(s.path) || slices.Contains([]string{"cmd", "bench", "examples"}, top) {
			return
		}
		for _, imp := range s.imports() {
			if slices.Contains([]string{"fmt", "log", "log/slog", "reflect"}, imp) {
				found = append(found, fmt.Sprintf("%s: imports %s", s.path, imp))
			}
		}
		eachSelector(s.syntax, func(pkg, name string, n ast.Node) {
			if pkg == "time" && slices.Contains([]string{"Now", "Since", "Until"}, name) {
				found = append(found, fmt.Sprintf("%s: time.%s", tr.at(n), name))
			}
		})
	})
	return found
}

var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "shared", "manager", "handler", "service"}

func namesSaySomething(tr *tree) (found []string) {
	tr.goFiles(func(s *source) {
		name := strings.TrimSuffix(s.syntax.Name.Name, "_test")
		if slices.Contains(emptyNames, name) || slices.Contains(emptyNames, path.Base(s.dir())) {
			found = append(found, s.path+": a package named after nothing")
		}
	})
	return found
}

func filesHoldOneIdea(tr *tree) (found []string) {
	for _, s := range tr.files {
		lines, limit := strings.Count(s.text, "\n"), 0
		switch {
		case strings.HasSuffix(s.path, ".go"):
			limit = 600
		case strings.HasPrefix(s.path, "docs/") && strings.HasSuffix(s.path, ".md"):
			limit = 199
		default:
			continue
		}
		if lines > limit {
			found = append(found, fmt.Sprintf("%s: %d lines, at most %d", s.path, lines, limit))
		}
	}
	return found
}
