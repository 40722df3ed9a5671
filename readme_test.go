package transport_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeProgramRuns: the first Go block of the README is what people copy. It runs here as it stands there, but for
// the directory, and prints what it published.
func TestReadmeProgramRuns(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("README.md has no Go block")
	}
	const dir = `"/dev/shm/pulse-hello"`
	program := strings.Replace(string(block[1]), dir, "`"+filepath.Join(t.TempDir(), "rings")+"`", 1)
	if program == string(block[1]) {
		t.Fatalf("the program does not name %s", dir)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", file).CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("got %q and %v, want hello", out, err)
	}
}
