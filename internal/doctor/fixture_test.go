package doctor

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected files anew; read what changed")

// fixtures are the four hosts, and what is used of each.
var fixtures = []struct {
	name string
	use  Use
}{
	{"tuned", Use{planned: true, Cores: []int{2, 3}, Interfaces: []Interface{{"eth0", 9000}}, RingBytes: 1 << 30, HugeBytes: 64 << 20, XDP: true, Multicast: 2, Network: true,
		Journals: []string{"/var/lib/pulse/orders"}, Brokers: []Broker{{"kafka", []string{"127.0.0.1:1"}}}}},
	{"laptop", Use{planned: true, Cores: []int{1, 3}, Interfaces: []Interface{{"wlan0", 9000}}, RingBytes: 256 << 20, HugeBytes: 64 << 20, XDP: true, Multicast: 30, Network: true, Journals: []string{"/tmp/journal"}}},
	{"vm", Use{Cores: []int{2, 3}, Interfaces: []Interface{{"eth0", 0}}, Multicast: 1}},
	{"container", Use{planned: true, Interfaces: []Interface{{"eth0", 1500}}, RingBytes: 128 << 20, Network: true, Journals: []string{"/var/lib/pulse"}, Brokers: []Broker{{"redis", []string{"127.0.0.1:1"}}}}},
}

// expand lays a fixture out as a directory: "-- PATH --" begins each file, what stands before the first one says what the host is.
func expand(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := strings.Split("\n"+string(text), "\n-- ")
	for _, f := range files[1:] {
		path, body, ok := strings.Cut(f, " --")
		if !ok {
			t.Fatalf("%s: %.40q begins no file", name, f)
		}
		at := filepath.Join(dir, filepath.FromSlash(path))
		body = strings.TrimPrefix(body, "\n")
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(body+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// look checks a fixture.
func look(t testing.TB, root string, p Profile, u Use) Report {
	t.Helper()
	r, err := Check(context.Background(), Options{Root: root, Profile: p, Use: u})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// expect compares with a file of testdata, or writes it under -update.
func expect(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	is, should := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(is), len(should)) {
		var a, b string
		if i < len(is) {
			a = is[i]
		}
		if i < len(should) {
			b = should[i]
		}
		if a != b {
			t.Errorf("%s:%d\n got %s\nwant %s", path, i+1, a, b)
		}
	}
}

// set writes a file of an expanded fixture.
func set(t *testing.T, root, path, text string) {
	t.Helper()
	at := filepath.Join(root, filepath.FromSlash(path))
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}
