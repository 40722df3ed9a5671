package tcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/link"
)

// authority signs certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.cert, a.key = a.sign(&x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)})
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(a.t, err)
	cert, err := x509.ParseCertificate(der)
	must(a.t, err)
	return cert, key
}

// node is what a node of this name uses, as both ends.
func (a *authority) node(name string, until time.Time) *tls.Config {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: a.pool, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
}

// secured is a bed by TLS.
func secured(ca *authority, as string, until time.Time) func(*ListenOptions, *DialOptions) {
	return func(lo *ListenOptions, do *DialOptions) {
		lo.TLS = ca.node("b", until)
		do.TLS = ca.node(as, time.Now().Add(time.Hour))
		do.TLS.ServerName = "b"
	}
}

func TestFramesArriveByTLS(t *testing.T) {
	b := newBed(t, secured(newAuthority(t), "a", time.Now().Add(time.Hour)), "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	n := scaled(100_000)
	b.until("all arrive", func() bool {
		s.publish(n, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == n
	})
	b.until("all is confirmed", b.dialer.Drained)
}

func TestWhoCannotBeBelievedIsRefusedWithTheReason(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name    string
		change  func(*ListenOptions, *DialOptions)
		dialer  string
		listens string
	}{
		{"expired", secured(ca, "a", time.Now().Add(-time.Minute)), "expired", ""},
		{"another authority", func(lo *ListenOptions, do *DialOptions) {
			secured(ca, "a", later)(lo, do)
			do.TLS.Certificates = other.node("a", later).Certificates
		}, "", "unknown authority"},
		{"another name", secured(ca, "c", later), "", `"a" greets, and its certificate is another's`},
		{"plain to TLS", func(lo *ListenOptions, do *DialOptions) { secured(ca, "a", later)(lo, do); do.TLS = nil }, "", "first record does not look like a TLS handshake"},
		{"TLS to plain", func(lo *ListenOptions, do *DialOptions) {
			secured(ca, "a", later)(lo, do)
			lo.TLS = nil
		}, "", "speaks TLS to one that does not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t, c.change, "ticks")
			b.until("it is refused", func() bool {
				return (c.dialer == "" || len(b.said(link.Disconnected)) > 0) && (c.listens == "" || len(b.said(link.Refused)) > 0)
			})
			if c.dialer != "" && !strings.Contains(b.said(link.Disconnected)[0].Err.Error(), c.dialer) {
				t.Error(b.said(link.Disconnected)[0].Err)
			}
			if c.listens != "" && !strings.Contains(b.said(link.Refused)[0].Err.Error(), c.listens) {
				t.Error(b.said(link.Refused)[0].Err)
			}
			if len(b.said(link.Connected)) > 0 {
				t.Error("they are connected")
			}
		})
	}
}

// A handshake that does not go on is given up in time, and holds nobody.
func TestSlowHandshakesHoldNobody(t *testing.T) {
	b := newBed(t, func(lo *ListenOptions, do *DialOptions) {
		secured(newAuthority(t), "a", time.Now().Add(time.Hour))(lo, do)
		lo.Connect = 200 * time.Millisecond
	}, "ticks")
	conn, err := net.Dial("tcp", b.listener.Local().String())
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	_, err = conn.Write([]byte{0x16, 3, 1})
	must(t, err)
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	b.until("the others are heard, and it is refused", func() bool {
		s.publish(10, 64)
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == 10 && len(b.said(link.Refused)) > 0
	})
}
