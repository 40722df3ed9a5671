package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// entries reads an archive back, slowly and strictly.
func entries(t *testing.T, b []byte) (names []string, contents map[string]string, modes map[string]uint64) {
	t.Helper()
	contents, modes = map[string]string{}, map[string]uint64{}
	for at := 0; ; {
		if at%4 != 0 || string(b[at:at+6]) != "070701" {
			t.Fatalf("no entry at %d", at)
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(b[at+6+8*i:at+14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		size, nameSize := field(6), field(11)
		name := string(b[at+110 : at+110+nameSize-1])
		if b[at+110+nameSize-1] != 0 {
			t.Fatalf("%q does not end in NUL", name)
		}
		data := (at + 110 + nameSize + 3) &^ 3
		if name == trailer {
			if data != len(b) {
				t.Fatalf("%d bytes behind the trailer", len(b)-data)
			}
			return names, contents, modes
		}
		names = append(names, name)
		contents[name] = string(b[data : data+size])
		modes[name] = uint64(field(1))
		at = (data + size + 3) &^ 3
	}
}

func TestArchiveReadsBack(t *testing.T) {
	dir := t.TempDir()
	var args []string
	for size := range 6 { // every padding of names and contents
		name := strings.Repeat("n", size+1)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, size), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name+"="+path)
	}
	args = append(args, "lib/deep/n="+filepath.Join(dir, "n"), "lib/n="+filepath.Join(dir, "nn"))
	out := filepath.Join(dir, "out.cpio")
	if err := run(out, args); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	names, contents, modes := entries(t, b)
	if got := strings.Join(names, " "); got != "dev dev/console n nn nnn nnnn nnnnn nnnnnn lib lib/deep lib/deep/n lib/n" {
		t.Error(got)
	}
	if contents["lib/n"] != "x" || modes["lib"] != modeDir || modes["lib/deep"] != modeDir {
		t.Errorf("lib/n: %q, directories of mode %o and %o", contents["lib/n"], modes["lib"], modes["lib/deep"])
	}
	for size := range 6 {
		if name := strings.Repeat("n", size+1); contents[name] != strings.Repeat("x", size) || modes[name] != modeFile {
			t.Errorf("%s: %q, mode %o", name, contents[name], modes[name])
		}
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.cpio")
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"init", "=" + file, "/a=" + file, "a/../b=" + file, ".=" + file, "a/=" + file, "init=/does/not/exist"} {
		if err := run(out, []string{arg}); err == nil {
			t.Errorf("%q was accepted", arg)
		}
	}
}
