package trust

import (
	"crypto/tls"
	"testing"
	"time"
)

// TestPatternsMatchWhatTheySay is the table of the package's comment.
func TestPatternsMatchWhatTheySay(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"*", []string{"a", "10.0.0.1", "spiffe://p/n"}, nil},
		{"Node-A.example", []string{"node-a.example"}, []string{"a.example", "x.node-a.example", "node-a.example.org", "spiffe://node-a.example/x"}},
		{"node-a.example.", []string{"node-a.example"}, nil},
		{"*.example", []string{"a.example"}, []string{"example", "a.b.example", "aexample", ".example", "spiffe://p/a.example"}},
		{"10.1.0.0/16", []string{"10.1.2.3"}, []string{"10.2.0.1", "::ffff:0a01:0203:1", "10.1.0.0/16"}},
		{"10.1.2.3", []string{"10.1.2.3"}, []string{"10.1.2.4"}},
		{"2001:db8::/32", []string{"2001:db8::1"}, []string{"2001:db9::1"}},
		{"spiffe://pulse/node/a", []string{"spiffe://pulse/node/a"}, []string{"spiffe://pulse/node/A", "spiffe://pulse/node/a/b", "spiffe://pulse/node"}},
		{"spiffe://pulse/node/*", []string{"spiffe://pulse/node/a"}, []string{"spiffe://pulse/node/", "spiffe://pulse/node/a/b", "spiffe://other/node/a", "https://pulse/node/a"}},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range c.yes {
			if !p.match(n) {
				t.Errorf("%q does not match %q", c.pattern, n)
			}
		}
		for _, n := range c.no {
			if p.match(n) {
				t.Errorf("%q matches %q", c.pattern, n)
			}
		}
	}
	for _, bad := range []string{"", "**", "a*", "*a.example", "a.*.example", "*.", "..", "-/-", "10.1.2.3/16", "10.0.0.0/40", "spiffe://", "spiffe:///x", "spiffe://*",
		"spiffe://p/*/x", "spiffe://p/a*", "a b", "é"} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestACertificatesStarsAreNoNames: neither a wildcard certificate nor a common name stands for a node.
func TestACertificatesStarsAreNoNames(t *testing.T) {
	a, err := NewAuthority("test", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	p, err := a.Issue([]string{"node-a.example"}, Life{Until: time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	c := pair.Leaf
	c.Subject.CommonName = "node-c"
	c.DNSNames = []string{"*.example", "Node-B.example."}
	if names := Names(c); len(names) != 1 || names[0] != "node-b.example" {
		t.Errorf("names are %q", names)
	}
	if Vouches(c, "node-c") || Vouches(c, "node-a.example") || Vouches(c, "*.example") || !Vouches(c, "node-b.example") {
		t.Error("it vouches for whom it does not name")
	}
	for _, names := range [][]string{nil, {"*"}, {"*.example"}, {"spiffe://p/*"}, {"10.0.0.0/8"}, {"a b"}} {
		if _, err := a.Issue(names, Life{Until: time.Now().Add(time.Minute)}); err == nil {
			t.Errorf("%q were issued", names)
		}
	}
}
