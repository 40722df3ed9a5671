package transport_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// violations holds, for each rule, trees that break it and one sentence fragment of what must be reported, and one
// tree beside them that is clean.
var violations = map[string]struct {
	broken []broken
	clean  map[string]string
}{
	"imports look down": {
		broken: []broken{
			{"floor 0 imports", map[string]string{"internal/sys/a.go": imports("sys", module+"/ring")}},
			{"floor 1 imports", map[string]string{"ring/a.go": imports("ring", module+"/seal")}},
			{"floor 1 imports", map[string]string{"tlv/a_test.go": imports("tlv", module)}},
			{"no floor", map[string]string{"attic/a.go": "package attic\n"}},
			{"expected", map[string]string{"ring/a.go": "package ring\nfunc {"}},
		},
		clean: map[string]string{"cmd/pulse/a.go": imports("main", module, module+"/ring"), "ring/a_test.go": imports("ring_test", module+"/ring")},
	},
	"the hot wing stands alone": {
		broken: []broken{
			{"ring reaches it", map[string]string{"ring/a.go": imports("ring", "github.com/spf13/cobra")}},
			{"numa reaches it", map[string]string{
				"numa/a.go":           imports("numa", module+"/internal/check"),
				"internal/check/a.go": imports("check", "github.com/spf13/cobra"),
			}},
			{"tlv reaches it", map[string]string{"tlv/a.go": imports("tlv", "golang.org/x/sys/unix")}},
		},
		clean: map[string]string{"ring/a.go": imports("ring", "golang.org/x/sys/unix", "os"), "ring/a_test.go": imports("ring", "pgregory.net/rapid")},
	},
	"wings stay apart": {
		broken: []broken{
			{"media are told", map[string]string{"netio/udp/a.go": imports("udp", module+"/route/topo")}},
			{"tested with fakes", map[string]string{"route/a.go": imports("route", module+"/netio/tcp")}},
			{"the media it names", map[string]string{"a.go": imports("transport", module+"/mqadapt/kafka")}},
			{"metrics clients", map[string]string{
				"a.go":             imports("transport", module+"/route/watch"),
				"route/watch/a.go": imports("watch", "github.com/prometheus/client_golang/prometheus"),
			}},
		},
		clean: map[string]string{"a.go": imports("transport", module+"/ring", module+"/seal"), "cmd/pulse/a.go": imports("main", "github.com/spf13/cobra")},
	},
	"one cellar": {
		broken: []broken{
			{"imports unsafe", map[string]string{"ring/a.go": imports("ring", "unsafe")}},
			{"imports golang.org/x/sys/unix", map[string]string{"ring/a_test.go": imports("ring", "golang.org/x/sys/unix")}},
			{"syscall.Mmap", map[string]string{"ring/a.go": imports("ring", "syscall") + "\nvar _ = syscall.Mmap\n"}},
			{"go:build linux", map[string]string{"ring/a.go": "//go:build linux\n\npackage ring\n"}},
			{"go:build race || arm64", map[string]string{"ring/a.go": "//go:build race || arm64\n\npackage ring\n"}},
			{"go:build invariants && arm64", map[string]string{"ring/a.go": "//go:build invariants && arm64\n\npackage ring\n"}},
			{"a build tag", map[string]string{"ring/map_linux.go": "package ring\n"}},
			{"assembly", map[string]string{"ring/a.s": "TEXT ·pause(SB)\n"}},
			{"go:linkname", map[string]string{"ring/a.go": "package ring\n\n//go:linkname nanotime runtime.nanotime\n"}},
		},
		clean: map[string]string{
			"internal/sys/a_linux.go": imports("sys", "unsafe", "golang.org/x/sys/unix"),
			"cmd/pulse/a.go":          imports("main", "syscall") + "\nvar _ = syscall.SIGTERM\n",
			"internal/check/on.go":    "//go:build invariants || race\n\npackage check\n",
		},
	},
	"hot files stay cold-blooded": {
		broken: []broken{
			{"imports fmt", map[string]string{"ring/writer.go": imports("ring", "fmt")}},
			{"imports log/slog", map[string]string{"publisher.go": imports("transport", "log/slog")}},
			{"time.Now", map[string]string{"netio/udp/sender.go": imports("udp", "time") + "\nvar now = time.Now\n"}},
		},
		clean: map[string]string{"ring/errors.go": imports("ring", "fmt"), "ring/reader.go": imports("ring", "time") + "\nvar _ time.Duration\n"},
	},
	"names say something": {
		broken: []broken{
			{"named after nothing", map[string]string{"ring/util/a.go": "package ringutil\n"}},
			{"named after nothing", map[string]string{"ring/x/a.go": "package helpers\n"}},
		},
		clean: map[string]string{"ring/a.go": "package ring\n"},
	},
	"files hold one idea": {
		broken: []broken{
			{"601 lines", map[string]string{"ring/a.go": "package ring\n" + strings.Repeat("\n", 600)}},
			{"200 lines", map[string]string{"docs/a.md": strings.Repeat("\n", 200)}},
		},
		clean: map[string]string{"ring/a.go": "package ring\n" + strings.Repeat("\n", 599), "docs/a.md": strings.Repeat("\n", 199)},
	},
	"packages introduce themselves": {
		broken: []broken{{"no comment", map[string]string{"ring/a.go": "// Rings.\npackage ring\n"}}},
		clean:  map[string]string{"ring/doc.go": "// Package ring is.\npackage ring\n", "ring/a.go": "package ring\n"},
	},
	"exported names are documented": {
		broken: []broken{
			{"Reader has no", map[string]string{"ring/a.go": "package ring\n\ntype Reader struct{}\n"}},
			{"Peek has no", map[string]string{"ring/a.go": "package ring\n\n// R reads.\ntype R struct{}\n\nfunc (*R) Peek() {}\n"}},
			{"Max has no", map[string]string{"ring/a.go": "package ring\n\nconst Max = 1\n"}},
		},
		clean: map[string]string{"ring/a.go": "package ring\n\n// Max is the most.\nconst Max = 1\n\ntype hidden struct{}\n\nfunc (hidden) Len() int { return 0 }\n"},
	},
	"exported types have examples": {
		broken: []broken{
			{"Reader is in no", map[string]string{"ring/a.go": "package ring\n\ntype Reader struct{}\n"}},
			{"Reader is in no", map[string]string{
				"ring/a.go":      "package ring\n\ntype Reader struct{}\n",
				"ring/a_test.go": "package ring\n\nfunc ExampleReader() {}\n",
			}},
			{"Mode is in no", map[string]string{
				"ring/a.go":      "package ring\n\ntype Mode int\n\nconst Gate Mode = 1\n\nfunc Open() {}\n",
				"ring/a_test.go": "package ring\n\nfunc ExampleOpen() {\n\tOpen()\n\t// Output:\n}\n",
			}},
		},
		clean: map[string]string{
			"ring/a.go": "package ring\n\ntype Reader struct{ At Place }\n\ntype Options struct{}\n\ntype Place int\n\n" +
				"type Mode int\n\nconst (\n\tGate Mode = iota\n\tLossy\n)\n\ntype Writer int\n\nfunc Open() Writer { return 0 }\n",
			"ring/a_test.go":  "package ring\n\nfunc ExampleReader_Peek() {\n\t_ = Options{}\n\tr.At = 0\n\tOpen()\n\tuse(Lossy)\n\t// Output:\n}\n",
			"internal/x/a.go": "package x\n\ntype Hidden struct{}\n",
		},
	},
	"nothing is left for later": {
		broken: []broken{
			{"a.go:2", map[string]string{"ring/a.go": "package ring\n// TO" + "DO: more\n"}},
			{"README.md:1", map[string]string{"README.md": "see /ho" + "me/me/x\n"}},
			{"a.md:1", map[string]string{"docs/a.md": "see `../sha" + "red/X.md`\n"}},
			{"a.md:1", map[string]string{"docs/a.md": "https://pyp" + "i.org\n"}},
		},
		clean: map[string]string{"docs/a.md": "/dev/shm/pulse, /proc/self/maps, docs/roots/x\n"},
	},
	"docs tell the truth": {
		broken: []broken{
			{"TestNowhere", map[string]string{"docs/a.md": "held by TestNowhere\n"}},
			{"TestNotOne", map[string]string{"docs/a.md": "held by TestNotOne\n", "ring/a.go": "package ring\n\nfunc TestNotOne() {}\n"}},
			{"F1", map[string]string{"docs/a.md": "| | fault | held by |\n|---|---|---|\n| F1 | loss | nobody |\n"}},
			{"make fly", map[string]string{"docs/a.md": "run `make fly`\n", "Makefile": "test:\n"}},
			{"scripts/gone.sh", map[string]string{"Makefile": "test:\n\tscripts/gone.sh\n"}},
			{"gone.md", map[string]string{"docs/a.md": "[there](gone.md#x)\n"}},
		},
		clean: map[string]string{
			"docs/a.md":      "held by `TestThere`, see [b](b.md#x), [readme](../README.md), [web](https://go.dev)\n",
			"docs/b.md":      "| | fault | held by |\n|---|---|---|\n| F1 | loss | `TestThere` |\n\n| not held |\n",
			"README.md":      "[docs](docs), `make test ARGS=-v`\n",
			"Makefile":       "test:\n\tscripts/t.sh\n",
			"scripts/t.sh":   "",
			"ring/a_test.go": "package ring\n\nfunc TestThere() {}\n",
		},
	},
}

// broken is a tree that breaks a rule and part of what the rule must say about it.
type broken struct {
	says  string
	files map[string]string
}

func imports(pkg string, paths ...string) string {
	return "package " + pkg + "\n\nimport (\n\t_ \"" + strings.Join(paths, "\"\n\t_ \"") + "\"\n)\n"
}

func TestEveryTidyRuleCanFail(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			v := violations[r.name]
			if len(v.broken) == 0 || len(v.clean) == 0 {
				t.Fatal("no violation to show it")
			}
			for _, b := range v.broken {
				if found := r.find(newTree(b.files)); !strings.Contains(strings.Join(found, "\n"), b.says) {
					t.Errorf("%v: want a finding that says %q, got %q", b.files, b.says, found)
				}
			}
			if found := r.find(newTree(v.clean)); len(found) > 0 {
				t.Errorf("the clean tree is refused: %q", found)
			}
		})
	}
}

func TestModuleFileWithAnUnusedRequirementIsNotTidy(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26.0\n\nrequire golang.org/x/sys v0.49.0\n",
		"m.go":   "package m\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := tidyDiff(t, dir); !strings.Contains(diff, "-require golang.org/x/sys") {
		t.Errorf("the unused requirement went unseen: %q", diff)
	}
}
