package trust_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// TestFilesThatNoPeerWouldBelieveAreRefused changes one file each time, and finds the reason in the error.
func TestFilesThatNoPeerWouldBelieveAreRefused(t *testing.T) {
	a, b := trusttest.Authority(t), trusttest.Authority(t)
	other := trusttest.Options(t, b, "node-b")
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		must(t, err)
		return text
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, o *trust.Options)
		say    string
	}{
		{"key of another", func(t *testing.T, o *trust.Options) { o.Key = other.Key }, "does not match"},
		{"key that its group reads", func(t *testing.T, o *trust.Options) { must(t, os.Chmod(o.Key, 0o640)) }, "chmod 600"},
		{"key that anybody writes", func(t *testing.T, o *trust.Options) { must(t, os.Chmod(o.Key, 0o602)) }, "chmod 600"},
		{"link to a key that anybody reads", func(t *testing.T, o *trust.Options) {
			must(t, os.Chmod(o.Key, 0o604))
			must(t, os.Symlink(o.Key, o.Key+".link"))
			o.Key += ".link"
		}, "chmod 600"},
		{"no certificate", func(t *testing.T, o *trust.Options) { must(t, os.Remove(o.Cert)) }, "no such file"},
		{"directory", func(t *testing.T, o *trust.Options) { o.CA = filepath.Dir(o.CA) }, "no regular file"},
		{"certificate of nothing", func(t *testing.T, o *trust.Options) { trusttest.Replace(t, o.Cert, nil, 0o644) }, "certificate"},
		{"too large", func(t *testing.T, o *trust.Options) { trusttest.Replace(t, o.CA, make([]byte, 1<<20+1), 0o644) }, "at most"},
		{"expired", func(t *testing.T, o *trust.Options) {
			trusttest.Renew(t, *o, a, trust.Life{From: time.Now().Add(-2 * time.Hour), Until: time.Now().Add(-time.Hour)}, "node-a")
		}, "renew it"},
		{"not yet valid", func(t *testing.T, o *trust.Options) {
			trusttest.Renew(t, *o, a, trust.Life{From: time.Now().Add(time.Hour), Until: time.Now().Add(2 * time.Hour)}, "node-a")
		}, "look at the clock"},
		{"empty CA file", func(t *testing.T, o *trust.Options) { trusttest.Replace(t, o.CA, []byte("none\n"), 0o644) }, "CA file"},
		{"CA file with a node in it", func(t *testing.T, o *trust.Options) { o.CA = o.Cert }, "no authority"},
		{"CA file with a key in it", func(t *testing.T, o *trust.Options) {
			trusttest.Replace(t, o.CA, append(read(o.CA), read(o.Key)...), 0o644)
		}, "only certificates"},
		{"CA file that is cut", func(t *testing.T, o *trust.Options) {
			trusttest.Replace(t, o.CA, append(read(o.CA), read(other.CA)[:100]...), 0o644)
		}, "something that is none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := trusttest.Options(t, a, "node-a")
			c.change(t, &o)
			_, err := trust.Open(o)
			if !errors.Is(err, trust.ErrFiles) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v; want %q in it", err, c.say)
			}
		})
	}
	t.Run("link to a good key", func(t *testing.T) {
		o := trusttest.Options(t, a, "node-a")
		must(t, os.Symlink(o.Key, o.Key+".link"))
		o.Key += ".link"
		trusttest.Open(t, o)
	})
}

func TestOptionsTellAllFaultsAtOnce(t *testing.T) {
	_, err := trust.Open(trust.Options{Poll: time.Nanosecond})
	for _, say := range []string{"no certificate", "no key", "no CA", "nobody is allowed", "poll every 1ns"} {
		if !errors.Is(err, trust.ErrOptions) || !strings.Contains(err.Error(), say) {
			t.Errorf("%v; want %q in it", err, say)
		}
	}
	if _, err := trust.Open(trust.Options{Cert: "c", Key: "k", CA: "a", Allow: []string{"a*"}}); !errors.Is(err, trust.ErrOptions) {
		t.Error(err)
	}
}

func TestIssuedFilesOverwriteNothing(t *testing.T) {
	a := trusttest.Authority(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	must(t, a.Write(cert, key))
	info, err := os.Stat(key)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key has mode %v", info.Mode())
	}
	if err := a.Write(cert, filepath.Join(dir, "new")); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a key without its certificate was left behind")
	}
	again, err := trust.LoadAuthority(cert, key)
	must(t, err)
	p, err := again.Issue([]string{"node-a"}, trust.Life{Until: time.Now().Add(1000 * time.Hour)})
	must(t, err)
	o := trusttest.Options(t, a, "node-b")
	trusttest.Replace(t, o.Cert, p.Cert, 0o644)
	trusttest.Replace(t, o.Key, p.Key, 0o600)
	if s := trusttest.Open(t, o).Stats(); time.Until(s.NotAfter) > 24*time.Hour || s.Names[0] != "node-a" {
		t.Errorf("%v outlives its authority", s)
	}
	must(t, os.Chmod(key, 0o644))
	if _, err := trust.LoadAuthority(cert, key); !errors.Is(err, trust.ErrFiles) {
		t.Error("an authority's key that anybody reads:", err)
	}
}

// TestKeysDoNotPrint whatever they are printed with.
func TestKeysDoNotPrint(t *testing.T) {
	a := trusttest.Authority(t)
	p, err := a.Issue([]string{"node-a"}, trust.Life{Until: time.Now().Add(time.Hour)})
	must(t, err)
	i := trusttest.Identity(t, a, "node-a")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, v := range []any{p, *p, a, *a, struct{ P *trust.Pair }{p}} {
			if text := fmt.Sprintf(verb, v); len(text) > 100 {
				t.Errorf("%T with %s: %.200s", v, verb, text)
			}
		}
		if text := fmt.Sprintf(verb, i); strings.Contains(text, "PRIVATE") || len(text) > 4000 {
			t.Errorf("identity with %s: %.200s", verb, text)
		}
	}
}
