package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/trust"
)

// runCert runs the verb and returns its exit code.
func runCert(args ...string) int {
	c := newCert()
	c.SetArgs(args)
	c.SetOut(io.Discard)
	c.SilenceErrors, c.SilenceUsage = true, true
	var coded *exitError
	err := c.Execute()
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.code
	}
	return exitUsage
}

// TestCertMakesWhatNodesOpen: an authority, a node's files, and an identity out of them.
func TestCertMakesWhatNodesOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	if code := runCert("ca", dir, "--name", "desk"); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	names := []string{"tokyo", "10.0.0.1", "spiffe://desk/node/tokyo"}
	if code := runCert(append([]string{"issue", dir}, names...)...); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, key := range []string{"ca-key.pem", "tokyo-key.pem"} {
		if info, err := os.Stat(filepath.Join(dir, key)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", key, info, err)
		}
	}
	i, err := trust.Open(trust.Options{Cert: filepath.Join(dir, "tokyo.pem"), Key: filepath.Join(dir, "tokyo-key.pem"), CA: filepath.Join(dir, "ca.pem"),
		Allow: []string{"spiffe://desk/node/*"}, Poll: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	s := i.Stats()
	if left := time.Until(s.NotAfter); !slices.Equal(s.Names, names) || left < 29*24*time.Hour || left > 31*24*time.Hour {
		t.Errorf("%q until %v", s.Names, s.NotAfter)
	}
}

func TestCertRefusesWhatItCannotDo(t *testing.T) {
	dir := t.TempDir()
	if code := runCert("issue", dir, "tokyo"); code != exitUsage {
		t.Errorf("without an authority: %d", code)
	}
	if code := runCert("ca", dir); code != 0 {
		t.Fatal(code)
	}
	before, err := os.ReadFile(filepath.Join(dir, "ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"again": {"ca", dir}, "never": {"ca", dir, "--days", "0"}, "no name": {"issue", dir}, "the authority's name": {"issue", dir, "ca"},
		"a way out": {"issue", dir, "../x"}, "a star": {"issue", dir, "*.desk"}, "a network": {"issue", dir, "tokyo", "10.0.0.0/8"},
	} {
		if code := runCert(args...); code != exitUsage {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, "ca-key.pem")); err != nil || string(before) != string(after) {
		t.Error("an authority's key was overwritten")
	}
	if err := os.Chmod(filepath.Join(dir, "ca-key.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code := runCert("issue", dir, "tokyo"); code != exitUsage {
		t.Errorf("with a key that anybody reads: %d", code)
	}
	if code := runCert("ca", "/proc/none"); code != exitRuntime {
		t.Errorf("where no directory can be: %d", code)
	}
}
