package topo

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// write makes files below a directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestIncludedFilesAreOneTopology(t *testing.T) {
	dir := write(t, map[string]string{
		"main.yaml":        "include: [parts/nodes.yaml, parts/actors.yaml]\nplacements: {a: {node: n}}\nchannels: {c: {mode: direct}, d: {profile: fast}}\n",
		"parts/nodes.yaml": "include: base.yaml\nnodes: {n: {hostname: n, trust: {key: key.pem}}}\n",
		"parts/actors.yaml": "include: [base.yaml]\nactors: {a: {type: transformer, inputs: [c], outputs: [d, c]}, b: {type: consumer, inputs: [d]}}\n" +
			"placements: {b: {node: n}}\n",
		"parts/base.yaml": "profiles: {fast: {stripes: 2}}\ndefaults: {heartbeat: 20ms}\n",
	})
	tp := clean(t, filepath.Join(dir, "main.yaml"))
	if len(tp.Nodes) != 1 || len(tp.Actors) != 2 || len(tp.Placements) != 2 || tp.Channel("d").Stripes != 2 || tp.Channel("c").Heartbeat != 20*time.Millisecond {
		t.Errorf("%+v", tp)
	}
	if o := tp.Channel("d").Origin("stripes"); o.At.File != filepath.Join(dir, "parts/base.yaml") || o.At.Line != 1 {
		t.Error(o)
	}
	if key := tp.Nodes[0].Trust.Key; key != filepath.Join(dir, "parts/key.pem") {
		t.Errorf("a path is relative to the file that names it, not %s", key)
	}
}

func TestBadIncludesAreNamed(t *testing.T) {
	deep := map[string]string{}
	for i := range MaxIncludes + 3 {
		deep[fmt.Sprintf("d%d.yaml", i)] = fmt.Sprintf("include: d%d.yaml\n", i+1)
	}
	deep[fmt.Sprintf("d%d.yaml", MaxIncludes+3)] = "name: x\n"
	many := map[string]string{}
	var names []string
	for i := range MaxFiles + 2 {
		names = append(names, fmt.Sprintf("m%d.yaml", i))
		many[names[i]] = fmt.Sprintf("profiles: {p%d: {}}\n", i)
	}
	many["d0.yaml"] = "include: [" + strings.Join(names, ", ") + "]\n"
	large := map[string]string{"d0.yaml": "include: [m0.yaml, m1.yaml, m2.yaml, m3.yaml, m4.yaml]\n"}
	for i := range 5 {
		large[fmt.Sprintf("m%d.yaml", i)] = strings.Repeat("# "+strings.Repeat("x", 997)+"\n", 1020)
	}
	for _, c := range []struct {
		files             map[string]string
		rule, says, where string
	}{
		{map[string]string{"d0.yaml": "include: a.yaml\n", "a.yaml": "name: a\ninclude: [b.yaml]\n", "b.yaml": "include: a.yaml\n"}, "include-cycle", "a.yaml → DIR/b.yaml → DIR/a.yaml", "b.yaml:1:10"},
		{map[string]string{"d0.yaml": "include: d0.yaml\n"}, "include-cycle", "d0.yaml → DIR/d0.yaml", "d0.yaml:1:10"},
		{map[string]string{"d0.yaml": "include: ./sub/../d0.yaml\n", "sub/x": ""}, "include-cycle", "d0.yaml → ", "d0.yaml:1:10"},
		{map[string]string{"d0.yaml": "include: /etc/passwd\n"}, "include", "absolute", "d0.yaml:1:10"},
		{map[string]string{"d0.yaml": "include: [none.yaml]\n"}, "include", "no such file", "d0.yaml:1:11"},
		{map[string]string{"d0.yaml": "include: [sub]\n", "sub/x": ""}, "include", "not a regular file", "d0.yaml:1:11"},
		{deep, "include", "more than 8 deep", ""},
		{many, "include", "more than 64 files", "d0.yaml:1:"},
		{large, "total-size", "more than 4194304 bytes", "m4.yaml"},
		{map[string]string{"d0.yaml": "include: a.yaml\nnodes: {n: {hostname: n}}\n", "a.yaml": "nodes: {n: {hostname: m}}\n"}, "duplicate-node", "first at DIR/a.yaml:1:9", "d0.yaml:2:9"},
		{map[string]string{"d0.yaml": "include: a.yaml\nactors: {n: {type: consumer, inputs: [c]}}\nplacements: {n: {node: n}}\nnodes: {n: {hostname: n}}", "a.yaml": "actors: {n: {type: producer, outputs: [c]}}\nchannels: {c: {}}\n"}, "duplicate-actor", "first at DIR/a.yaml:1:10", "d0.yaml:2:10"},
		{map[string]string{"d0.yaml": "include: a.yaml\ndefaults: {stripes: 1}\n", "a.yaml": "defaults: {stripes: 2}\n"}, "set-twice", "stripes", "d0.yaml:2:21"},
	} {
		dir := write(t, c.files)
		_, found := Load(filepath.Join(dir, "d0.yaml"))
		says := strings.ReplaceAll(c.says, "DIR", dir)
		seen := false
		for _, f := range found {
			seen = seen || f.Rule == c.rule && strings.Contains(f.Message, says) && strings.Contains(f.At.String(), c.where)
		}
		if !seen {
			t.Errorf("no %s %q at %s:\n%s", c.rule, says, c.where, report(found))
		}
	}
}

func TestUnreadableFilesGiveOneError(t *testing.T) {
	dir := write(t, map[string]string{"large.yaml": strings.Repeat("#", MaxFile+1)})
	for path, says := range map[string]string{dir: "not a regular file", filepath.Join(dir, "none"): "no such file", os.DevNull: "not a regular file",
		filepath.Join(dir, "large.yaml"): "more than 1048576 bytes"} {
		_, found := Load(path)
		if len(found) != 1 || found[0].Rule != "unreadable" || !strings.Contains(found[0].Message, says) {
			t.Errorf("%s: %s", path, report(found))
		}
	}
}

// bombs are files that a careless reader chokes on. Each gives one clear error.
func bombs() map[string]string {
	random := make([]byte, MaxFile)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	printable := make([]byte, MaxFile)
	for i := range printable {
		printable[i] = byte(33 + r.Uint32N(94))
	}
	var lols strings.Builder
	lols.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 7; i++ {
		fmt.Fprintf(&lols, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	lols.WriteString("include: *a6\n")
	return map[string]string{
		"random bytes":     string(random),
		"random printable": string(printable),
		"zeros":            strings.Repeat("\x00", MaxFile),
		"brackets":         strings.Repeat("[", MaxFile),
		"braces":           strings.Repeat("{", MaxFile),
		"indents":          strings.Repeat("- ", MaxFile/2),
		"one word":         strings.Repeat("a", MaxFile),
		"one list":         "[" + strings.Repeat("a,", MaxFile/2-1) + "]",
		"fewer items":      "[" + strings.Repeat("a,", MaxItems-1) + "]",
		"lines":            strings.Repeat("a\n", MaxFile/2),
		"questions":        strings.Repeat("? ", MaxFile/2),
		"anchors":          "a: &a [b]\nc: [" + strings.Repeat("*a, ", 100) + "]\n",
		"laughs":           lols.String(),
		"itself":           "include: &a [*a]\n",
		"spaces":           strings.Repeat(" ", MaxFile-1) + "a",
		"deep keys":        strings.Repeat("{a: ", MaxNesting+1) + strings.Repeat("}", MaxNesting+1),
	}
}

func TestGarbageGivesOneClearErrorSoon(t *testing.T) {
	for name, text := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start, done := time.Now(), make(chan Findings, 1)
		go func() {
			_, found := parse(text)
			done <- found
		}()
		select {
		case found := <-done:
			t.Logf("%s in %v", name, time.Since(start))
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 256<<20 {
				t.Errorf("%s: %d MiB", name, taken>>20)
			}
			errs, _ := found.Count()
			if len(found) != 1 || errs != 1 || len(report(found)) > 1000 {
				t.Errorf("%s: %d findings: %.2000s", name, len(found), report(found))
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: no answer in 30 s", name)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * MaxFindings {
		fmt.Fprintf(&b, "k%d: x\n", i)
	}
	_, found := parse(b.String())
	if last := found[len(found)-1]; len(found) != MaxFindings+1 || last.Rule != "too-many" || !strings.Contains(last.Message, fmt.Sprint(2*MaxFindings)) {
		t.Errorf("%d findings, the last one %s", len(found), last)
	}
}

func TestLargestTopologyLoadsSoon(t *testing.T) {
	var b strings.Builder
	b.WriteString("defaults: {mode: direct, protocol: tcp, retry: {first: 1s}}\nprofiles: {f: {stripes: 2, heartbeat: 1s}}\nchannels:\n")
	for i := range MaxChannels + 1 {
		fmt.Fprintf(&b, "  c%d: {profile: f}\n", i)
	}
	start := time.Now()
	tp, found := parse(b.String())
	if len(tp.Channels) != MaxChannels || len(found) != 1 || found[0].Rule != "too-many" {
		t.Errorf("%d channels, %d findings", len(tp.Channels), len(found))
	}
	t.Logf("%d channels in %v", len(tp.Channels), time.Since(start))
}

func TestManyPairsOfNodesAreRefused(t *testing.T) {
	var nodes, actors, places bytes.Buffer
	nodes.WriteString("nodes:\n")
	actors.WriteString("actors:\n")
	places.WriteString("placements:\n")
	for i := range MaxNodes {
		fmt.Fprintf(&nodes, "  n%d: {hostname: h%d}\n", i, i)
		fmt.Fprintf(&actors, "  p%d: {type: transformer, inputs: [a], outputs: [a]}\n", i)
		fmt.Fprintf(&places, "  p%d: {node: n%d}\n", i, i)
	}
	_, found := parse(nodes.String() + actors.String() + places.String() + "channels: {a: {}}\n")
	if len(found) != 1 || found[0].Rule != "too-many" {
		t.Errorf("%.1000s", report(found))
	}
}
