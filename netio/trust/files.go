package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Bounds of what is read.
const (
	maxFile        = 1 << 20
	maxAuthorities = 256
)

// ErrFiles: certificate, key or authorities that cannot be used. The text says which, why, and what to do.
var ErrFiles = errors.New("trust: files")

// loaded is what the three files said together. It does not change.
type loaded struct {
	cert        tls.Certificate
	roots       *x509.CertPool
	authorities int
	stamps      stamps
	generation  uint64
	allow       []pattern
	names       []string // that allow was made from
}

// stamps tell one state of the files from another; nil where there is no file.
type stamps [3]fs.FileInfo

func (o *Options) paths() [3]string { return [3]string{o.Cert, o.Key, o.CA} }

// look asks the file system how the files are now. Links are followed: what they lead to counts.
func (o *Options) look() (s stamps) {
	for i, p := range o.paths() {
		if info, err := os.Stat(p); err == nil {
			s[i] = info
		}
	}
	return s
}

// same reports whether nothing was written or replaced between two looks.
func (s *stamps) same(t *stamps) bool {
	for i, a := range s {
		b := t[i]
		if (a == nil) != (b == nil) {
			return false
		}
		if a != nil && (!os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() || a.Mode() != b.Mode()) {
			return false
		}
	}
	return true
}

// load reads the files and checks that they hold together at now.
func (o *Options) load(now time.Time) (*loaded, error) {
	l := &loaded{stamps: o.look()}
	var texts [3][]byte
	var faults []error
	for i, p := range o.paths() {
		text, err := readFile(p, p == o.Key)
		texts[i] = text
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	defer clear(texts[1])
	cert, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("%w: certificate %s with key %s: %w", ErrFiles, o.Cert, o.Key, err)
	}
	l.cert = cert
	if err := usable(cert.Leaf, now); err != nil {
		return nil, fmt.Errorf("%w: certificate %s: %w", ErrFiles, o.Cert, err)
	}
	if l.roots, l.authorities, err = authorities(texts[2]); err != nil {
		return nil, fmt.Errorf("%w: CA file %s: %w", ErrFiles, o.CA, err)
	}
	return l, nil
}

// readFile reads at most maxFile bytes, of a secret file only when it is its owner's alone. The open file is asked, not the name.
func readFile(path string, secret bool) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s has %d bytes, at most %d", path, info.Size(), maxFile)
	case secret && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("key %s: its mode %#o lets others at it: chmod 600 %s, and replace the key if others could have read it", path, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// usable says why no peer would believe a certificate.
func usable(c *x509.Certificate, now time.Time) error {
	switch {
	case now.Before(c.NotBefore):
		return fmt.Errorf("it is valid from %s on, and it is %s: look at the clock", show(c.NotBefore), show(now))
	case now.After(c.NotAfter):
		return fmt.Errorf("it ended %s: renew it", show(c.NotAfter))
	case len(Names(c)) == 0:
		return errors.New("it has no name: neither DNS name nor IP address nor URI")
	}
	return nil
}

func show(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// authorities reads every certificate of a CA file; each must be an authority's.
func authorities(text []byte) (*x509.CertPool, int, error) {
	pool, n := x509.NewCertPool(), 0
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			return nil, 0, fmt.Errorf("it holds a %s: only certificates belong there", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, 0, err
		}
		if !c.IsCA || !c.BasicConstraintsValid {
			return nil, 0, fmt.Errorf("%q is no authority's certificate", c.Subject.CommonName)
		}
		if n++; n > maxAuthorities {
			return nil, 0, fmt.Errorf("more than %d authorities", maxAuthorities)
		}
		pool.AddCert(c)
	}
	if n == 0 || len(bytes.TrimSpace(text)) != 0 && bytes.Contains(text, []byte("-----BEGIN")) {
		return nil, 0, fmt.Errorf("after %d certificates there is something that is none", n)
	}
	return pool, n, nil
}
