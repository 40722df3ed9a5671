package transport_test

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

func packagesIntroduceThemselves(tr *tree) (found []string) {
	said := map[string]bool{}
	tr.goFiles(func(s *source) {
		if s.isTest() {
			return
		}
		want := "Package " + s.syntax.Name.Name + " "
		if s.syntax.Name.Name == "main" {
			want = "Command "
		}
		said[s.dir()] = said[s.dir()] || s.syntax.Doc != nil && strings.HasPrefix(s.syntax.Doc.Text(), want)
	})
	for dir, ok := range said {
		if !ok {
			found = append(found, fmt.Sprintf("%q: no comment that begins with Package or Command and its name", dir))
		}
	}
	slices.Sort(found)
	return found
}

func exportedNamesAreDocumented(tr *tree) (found []string) {
	tr.goFiles(func(s *source) {
		if s.isTest() {
			return
		}
		for _, d := range s.syntax.Decls {
			for _, name := range undocumented(d) {
				found = append(found, fmt.Sprintf("%s: %s has no comment", tr.at(d), name))
			}
		}
	})
	return found
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d))) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
					names = append(names, spec.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// receiver is the name of the type a method belongs to.
func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// exportedTypesHaveExamples: a type of a public package is shown when a runnable Example of its package carries its name
// (ExampleReader, ExampleReader_Seek), writes it, or uses something declared with it: a function that returns it, a
// field or a constant of it.
func exportedTypesHaveExamples(tr *tree) (found []string) {
	declared := declaredWith(tr)
	shown := map[string]map[string]bool{} // package → names
	show := func(dir, name string) {
		if shown[dir] == nil {
			shown[dir] = map[string]bool{}
		}
		shown[dir][name] = true
	}
	tr.goFiles(func(s *source) {
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.isTest() || !strings.HasPrefix(f.Name.Name, "Example") || !runs(s.syntax, f) {
				continue
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(f.Name.Name, "Example"), "_")
			show(s.dir(), name)
			for _, used := range identifiers(f.Body) {
				show(s.dir(), used)
				for _, t := range declared[s.dir()][used] {
					show(s.dir(), t)
				}
			}
		}
	})
	tr.goFiles(func(s *source) {
		private := s.syntax.Name.Name == "main" || slices.Contains(strings.Split(s.dir(), "/"), "internal") ||
			under(s.dir(), "bench") // measures engines; no engine links it
		if s.isTest() || private {
			return
		}
		for _, d := range s.syntax.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && !shown[s.dir()][ts.Name.Name] {
					found = append(found, fmt.Sprintf("%s: %s is in no Example that runs", tr.at(ts), ts.Name.Name))
				}
			}
		}
	})
	return found
}

// declaredWith lists, for each package and each function, field, constant or variable in it, the names in its type.
func declaredWith(tr *tree) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	tr.goFiles(func(s *source) {
		if s.isTest() {
			return
		}
		names := all[s.dir()]
		if names == nil {
			names = map[string][]string{}
			all[s.dir()] = names
		}
		add := func(name string, n ast.Node) { names[name] = append(names[name], identifiers(n)...) }
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				add(n.Name.Name, n.Type)
				return false
			case *ast.Field:
				for _, name := range n.Names {
					add(name.Name, n.Type)
				}
			case *ast.GenDecl:
				var last ast.Node // a constant without a type repeats the one before
				for _, spec := range n.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok {
						continue
					}
					if v.Type != nil || len(v.Values) > 0 {
						last = v
					}
					for _, name := range v.Names {
						add(name.Name, last)
					}
				}
			}
			return true
		})
	})
	return all
}

func identifiers(n ast.Node) (names []string) {
	if n == nil {
		return nil
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}

// runs: an Example without an Output comment is compiled but never run.
func runs(file *ast.File, f *ast.FuncDecl) bool {
	return slices.ContainsFunc(file.Comments, func(g *ast.CommentGroup) bool {
		text := strings.ToLower(strings.TrimSpace(g.Text()))
		return f.Pos() < g.Pos() && g.End() < f.End() &&
			(strings.HasPrefix(text, "output:") || strings.HasPrefix(text, "unordered output:"))
	})
}

// The words are written in two halves so that this file does not contain them.
var (
	laterWords   = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	machinePaths = regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])(/(wor` + `k|hom` + `e|roo` + `t|User` + `s)/[\w.]|\.\./sha` + `red\b)`)
	packageHosts = regexp.MustCompile(`proxy\.gol` + `ang\.org|deb\.deb` + `ian\.org|pyp` + `i\.org|registry\.np` + `mjs\.org`)
)

func nothingLeftForLater(tr *tree) (found []string) {
	for _, s := range tr.files {
		if strings.Contains("/"+s.path, "/testdata/fuzz/") || path.Base(s.path) == "go.sum" {
			continue
		}
		for i, line := range strings.Split(s.text, "\n") {
			for _, words := range []*regexp.Regexp{laterWords, machinePaths, packageHosts} {
				if m := words.FindString(line); m != "" {
					found = append(found, fmt.Sprintf("%s:%d: %s", s.path, i+1, strings.TrimSpace(m)))
				}
			}
		}
	}
	return found
}

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark|Example)[A-Z][A-Za-z0-9_]*\b`)
	makeName = regexp.MustCompile("`make ([a-z-]+)")
	target   = regexp.MustCompile(`(?m)^([a-z-]+):`)
	script   = regexp.MustCompile(`\bscripts/[a-z-]+\.sh\b`)
	pageLink = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
)

func docsTellTheTruth(tr *tree) (found []string) {
	functions, paths, targets := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range tr.files {
		if s.path == "Makefile" {
			for _, m := range target.FindAllStringSubmatch(s.text, -1) {
				targets[m[1]] = true
			}
		}
		for p := s.path; p != "."; p = path.Dir(p) {
			paths[p] = true
		}
		if s.syntax == nil {
			continue
		}
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() && f.Recv == nil {
				functions[f.Name.Name] = true
			}
		}
	}
	for _, s := range tr.files {
		if !strings.HasSuffix(s.path, ".md") && s.path != "Makefile" {
			continue
		}
		for _, name := range script.FindAllString(s.text, -1) {
			if !paths[name] {
				found = append(found, fmt.Sprintf("%s: names %s, which does not exist", s.path, name))
			}
		}
		for _, m := range makeName.FindAllStringSubmatch(s.text, -1) {
			if !targets[m[1]] {
				found = append(found, fmt.Sprintf("%s: names make %s, which does not exist", s.path, m[1]))
			}
		}
		for _, name := range testName.FindAllString(s.text, -1) {
			if !functions[name] {
				found = append(found, fmt.Sprintf("%s: names %s, which does not exist", s.path, name))
			}
		}
		for _, row := range unheld(s.text) {
			found = append(found, fmt.Sprintf("%s: no test holds %q", s.path, row))
		}
		for _, m := range pageLink.FindAllStringSubmatch(s.text, -1) {
			if to := m[1]; !strings.Contains(to, "://") && !paths[path.Join(path.Dir(s.path), to)] {
				found = append(found, fmt.Sprintf("%s: links to %s, which does not exist", s.path, to))
			}
		}
	}
	return found
}

// unheld lists the first cells of rows that name no test in the last one, where that is headed "held by".
func unheld(page string) (rows []string) {
	held := false
	for _, line := range strings.Split(page, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		last := cells[len(cells)-1]
		switch {
		case !strings.HasPrefix(line, "|"):
			held = false
		case last == "held by":
			held = true
		case held && !strings.HasPrefix(line, "|--") && !testName.MatchString(last):
			rows = append(rows, cells[0])
		}
	}
	return rows
}
