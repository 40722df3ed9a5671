// Package trusttest makes identities for tests of links.
package trusttest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/trust"
)

// Authority makes an authority that lives a day.
func Authority(t testing.TB) *trust.Authority {
	t.Helper()
	a, err := trust.NewAuthority("test", time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Options writes a certificate of these names and its authority into files of a new directory. Whoever the authority vouches for is
// allowed, and the files are looked at by Reload only.
func Options(t testing.TB, a *trust.Authority, names ...string) trust.Options {
	t.Helper()
	dir := t.TempDir()
	o := trust.Options{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem"), Allow: []string{"*"}, Poll: -1}
	Renew(t, o, a, trust.Life{Until: time.Now().Add(12 * time.Hour)}, names...)
	Believe(t, o, a)
	return o
}

// Identity opens what Options writes, and closes it with the test.
func Identity(t testing.TB, a *trust.Authority, names ...string) *trust.Identity {
	t.Helper()
	return Open(t, Options(t, a, names...))
}

// Open opens an identity and closes it with the test.
func Open(t testing.TB, o trust.Options) *trust.Identity {
	t.Helper()
	i, err := trust.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// Renew replaces certificate and key.
func Renew(t testing.TB, o trust.Options, a *trust.Authority, life trust.Life, names ...string) {
	t.Helper()
	p, err := a.Issue(names, life)
	if err != nil {
		t.Fatal(err)
	}
	Replace(t, o.Cert, p.Cert, 0o644)
	Replace(t, o.Key, p.Key, 0o600)
}

// Believe replaces the CA file.
func Believe(t testing.TB, o trust.Options, authorities ...*trust.Authority) {
	t.Helper()
	var all []byte
	for _, a := range authorities {
		all = append(all, a.Cert...)
	}
	Replace(t, o.CA, all, 0o644)
}

// Replace puts a new file in a path's place, in one step.
func Replace(t testing.TB, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
