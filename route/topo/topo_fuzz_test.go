package topo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzTopology gives the loader anything. It answers with bounded findings that stand within the file, and a file it takes
// is one whose effective values load again.
func FuzzTopology(f *testing.F) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/carriage.yaml", "testdata/older.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, b := range badFiles {
		f.Add([]byte(b.text))
	}
	for _, text := range bombs() {
		if len(text) < 1<<12 {
			f.Add([]byte(text))
		}
	}
	env := func(name string) (string, bool) { return "x", name == "SET" }
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("include")) || bytes.Contains(text, []byte("file:")) {
			return // other files are not the fuzzer's to name
		}
		tp, found := Loader{Env: env}.Parse("f.yaml", text)
		if len(found) > MaxFindings+1 {
			t.Fatalf("%d findings", len(found))
		}
		lines := strings.Count(lineBreaks.Replace(string(text)), "\n") + 1
		for _, x := range found {
			if x.Message == "" || x.Rule == "" || x.Severity == 0 || x.At.Line > lines || len(x.Message) > 4096 {
				t.Fatalf("%+v", x)
			}
		}
		var out bytes.Buffer
		for _, write := range []func() error{func() error { return found.WriteText(&out) }, func() error { return found.WriteJSON(&out) }, func() error { return found.WriteSARIF(&out) }} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		if strings.ContainsAny(out.String(), "\x00\x1b\x07") {
			t.Fatal("a control character reaches the terminal")
		}
		if found.Err() != nil {
			return
		}
		out.Reset()
		if err := tp.WriteEffective(&out); err != nil {
			t.Fatal(err)
		}
		if out.Len() > MaxFile {
			return
		}
		again, found := Loader{Env: env}.Parse("g.yaml", out.Bytes())
		for _, x := range found {
			if x.Rule == "syntax" || x.Rule == "bad-value" || x.Rule == "unknown-key" || x.Rule == "wrong-kind" || x.Rule == "not-text" {
				t.Fatalf("%s\nof\n%s", x, &out)
			}
		}
		if len(again.Channels) != len(tp.Channels) {
			t.Fatalf("%d channels, then %d", len(tp.Channels), len(again.Channels))
		}
	})
}
