package trust

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// Authority issues certificates: for trying things out, for tests, and for a few hosts that have no authority of their own. Its key is
// Ed25519, and so are those it issues. The zero Authority is not valid.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  crypto.Signer
}

// Pair is a certificate and its private key, both PEM.
type Pair struct{ Cert, Key []byte }

// Format keeps the key out of what is printed, whatever the verb.
func (p Pair) Format(f fmt.State, _ rune) { fmt.Fprint(f, "trust.Pair(redacted)") }

// skew is how far clocks may be apart: a certificate is valid that much before it is issued.
const skew = 5 * time.Minute

// NewAuthority makes an authority that lives until an instant.
func NewAuthority(name string, until time.Time) (*Authority, error) {
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-skew), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	pair, err := issue(t, nil)
	if err != nil {
		return nil, err
	}
	return authorityOf(pair)
}

// LoadAuthority reads an authority that Pair.Write wrote. Its key is refused like that of a node.
func LoadAuthority(cert, key string) (*Authority, error) {
	c, err := readFile(cert, false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	k, err := readFile(key, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFiles, err)
	}
	a, err := authorityOf(&Pair{c, k})
	if err != nil {
		return nil, fmt.Errorf("%w: %s and %s: %w", ErrFiles, cert, key, err)
	}
	return a, nil
}

func authorityOf(p *Pair) (*Authority, error) {
	both, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		return nil, err
	}
	if !both.Leaf.IsCA {
		return nil, errors.New("this is no authority's certificate: make one with pulse cert ca")
	}
	key, ok := both.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("a key that signs nothing")
	}
	return &Authority{*p, both.Leaf, key}, nil
}

// Life is when a certificate is valid. Zero From: now, less what clocks may be apart.
type Life struct{ From, Until time.Time }

// Issue makes a certificate, for both server and client, with names as they are in an allow-list but without stars. It ends with its
// authority at the latest.
func (a *Authority) Issue(names []string, life Life) (*Pair, error) {
	if life.From.IsZero() {
		life.From = time.Now().Add(-skew)
	}
	if life.Until.After(a.cert.NotAfter) {
		life.Until = a.cert.NotAfter
	}
	t := &x509.Certificate{
		NotBefore: life.From, NotAfter: life.Until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if err := name(t, names); err != nil {
		return nil, err
	}
	return issue(t, a)
}

// name puts the names where they belong.
func name(t *x509.Certificate, names []string) error {
	var faults []error
	for _, n := range names {
		if _, err := parsePattern(n); err != nil {
			faults = append(faults, err)
		} else if a, err := netip.ParseAddr(n); err == nil {
			t.IPAddresses = append(t.IPAddresses, a.AsSlice())
		} else if strings.ContainsAny(n, "*") || !strings.Contains(n, "://") && strings.Contains(n, "/") {
			faults = append(faults, fmt.Errorf("name %q: a certificate is that of one node", n))
		} else if u, err := url.Parse(n); err == nil && strings.Contains(n, "://") {
			t.URIs = append(t.URIs, u)
		} else {
			t.DNSNames = append(t.DNSNames, strings.TrimSuffix(n, "."))
		}
	}
	if len(names) == 0 {
		faults = append(faults, errors.New("no name: a certificate without one is believed by nobody"))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	t.Subject.CommonName = names[0][:min(len(names[0]), 64)] // for people; nothing is decided by it
	return nil
}

// issue has t signed by an authority, or by itself.
func issue(t *x509.Certificate, by *Authority) (*Pair, error) {
	if !t.NotAfter.After(t.NotBefore) {
		return nil, fmt.Errorf("%w: valid from %s to %s, which is never", ErrOptions, show(t.NotBefore), show(t.NotAfter))
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, err
	}
	parent, signer := t, crypto.Signer(private)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, parent, public, signer)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return &Pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})}, nil
}

// Write puts both into new files: the certificate for everybody to read, the key for its owner alone. It overwrites nothing (fs.ErrExist)
// and leaves nothing half done.
func (p *Pair) Write(cert, key string) error {
	if err := writeNew(key, p.Key, 0o600); err != nil {
		return err
	}
	if err := writeNew(cert, p.Cert, 0o644); err != nil {
		return errors.Join(err, os.Remove(key))
	}
	return nil
}

func writeNew(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrFiles, errors.Join(err, os.Remove(path)))
	}
	return nil
}
