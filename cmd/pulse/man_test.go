package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func pagesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	if out, code := runRoot(t, "man", dir); code != 0 {
		t.Fatalf("man %s: exit code %d: %s", dir, code, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// TestEveryVerbHasAPage: each verb that help shows has a page, which names each of its flags and what it is for.
func TestEveryVerbHasAPage(t *testing.T) {
	pages := pagesIn(t, filepath.Join(t.TempDir(), "made", "man1"))
	var walk func(c *cobra.Command)
	seen := 0
	walk = func(c *cobra.Command) {
		p, ok := pages[pageName(c)+".1"]
		if !ok {
			t.Errorf("%s has no page", c.CommandPath())
			return
		}
		seen++
		plain := strings.NewReplacer(`\-`, "-", `\&`, "", `\e`, `\`).Replace(p)
		if !strings.Contains(plain, c.Short) {
			t.Errorf("%s: the page does not say %q", c.CommandPath(), c.Short)
		}
		for _, m := range regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(c.NonInheritedFlags().FlagUsages(), -1) {
			if !strings.Contains(plain, m) {
				t.Errorf("%s: the page does not name %s", c.CommandPath(), m)
			}
		}
		for _, below := range shownBelow(c) {
			walk(below)
		}
	}
	root := newRoot()
	root.InitDefaultCompletionCmd()
	walk(root)
	if seen != len(pages) || seen < 20 {
		t.Errorf("%d verbs, %d pages", seen, len(pages))
	}
	if _, ok := pages["pulse-bench-peer.1"]; ok {
		t.Error("a hidden verb has a page")
	}
}

func TestPagesAreTheSameEveryTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795876832")
	first, second := pagesIn(t, t.TempDir()), pagesIn(t, t.TempDir())
	for name, p := range first {
		if p != second[name] {
			t.Errorf("%s differs from one writing to the next", name)
		}
		if !strings.Contains(p, `"2026-11-28"`) {
			t.Errorf("%s: no date of SOURCE_DATE_EPOCH in %q", name, p[:60])
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, code := runRoot(t, "man", t.TempDir()); code != exitUsage {
		t.Errorf("exit code %d for a date that is none, want %d", code, exitUsage)
	}
}

// TestNothingOnAPageIsTakenForARequest: a line that begins with a dot, and a backslash, are text.
func TestNothingOnAPageIsTakenForARequest(t *testing.T) {
	c := &cobra.Command{Use: "x", Short: "s", Long: "a\n.so /etc/passwd\n'br\n\\fB\n\n  a table", Run: func(*cobra.Command, []string) {}}
	p := page(c, "")
	for _, want := range []string{"\n\\&.so /etc/passwd\n\\&'br\n\\efB\n", ".nf\n  a table\n.fi\n"} {
		if !strings.Contains(p, want) {
			t.Errorf("%q is not in\n%s", want, p)
		}
	}
}

func TestVersionNamesEveryModule(t *testing.T) {
	out, code := runRoot(t, "version", "--build-info", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	info, _ := debug.ReadBuildInfo()
	if b.Go != runtime.Version() || b.Commit == "" || b.Version == "" || len(b.Modules) != len(info.Deps) || len(info.Deps) == 0 {
		t.Errorf("%+v of %d modules", b, len(info.Deps))
	}
	if b.Settings["GOARCH"] != runtime.GOARCH {
		t.Errorf("settings %v", b.Settings)
	}
	text, code := runRoot(t, "version")
	if code != 0 || strings.Count(text, "\n") != 1 || !strings.Contains(text, runtime.Version()) {
		t.Errorf("exit code %d: %s", code, text)
	}
	if _, code := runRoot(t, "version", "-o", "xml"); code != exitUsage {
		t.Errorf("exit code %d for an output that is none, want %d", code, exitUsage)
	}
}
