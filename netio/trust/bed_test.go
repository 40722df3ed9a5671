package trust_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/trust"
)

const protocol = "test/1"

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func client(t testing.TB, i *trust.Identity, expect ...string) *tls.Config {
	t.Helper()
	c, err := i.Client(protocol, expect...)
	must(t, err)
	return c
}

// ends is both ends of a connection over loopback.
type ends struct{ dialled, accepted *tls.Conn }

// shake joins two configurations and returns what either side's handshake answered. The client's includes its first read, by which it
// learns whether it was believed.
func shake(t testing.TB, server, client *tls.Config) (e ends, atServer, atClient error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	type result struct {
		c   *tls.Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			accepted <- result{nil, err}
			return
		}
		raw.SetDeadline(time.Now().Add(10 * time.Second))
		c := tls.Server(raw, server)
		err = c.Handshake()
		if err == nil {
			_, err = c.Write([]byte{1})
		} else {
			raw.Close()
		}
		accepted <- result{c, err}
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	e.dialled = tls.Client(raw, client)
	atClient = e.dialled.Handshake()
	if atClient == nil {
		_, atClient = e.dialled.Read(make([]byte, 1))
	} else {
		raw.Close()
	}
	r := <-accepted
	e.accepted = r.c
	t.Cleanup(func() {
		e.dialled.NetConn().Close()
		e.accepted.NetConn().Close()
	})
	return e, r.err, atClient
}

// echo shows that a connection carries bytes both ways.
func (e ends) echo(t testing.TB) {
	t.Helper()
	b := make([]byte, 4)
	for _, way := range [][2]*tls.Conn{{e.dialled, e.accepted}, {e.accepted, e.dialled}} {
		_, err := way[0].Write([]byte("ping"))
		must(t, err)
		n, err := way[1].Read(b)
		must(t, err)
		if string(b[:n]) != "ping" {
			t.Fatalf("%q arrived", b[:n])
		}
	}
}

// reason is that of a refusal, or fails the test.
func reason(t testing.TB, err error) trust.Reason {
	t.Helper()
	var r *trust.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no refusal", err)
	}
	return r.Reason
}

// raw is a client or server that does not care what its own certificate is worth.
func raw(t testing.TB, a *trust.Authority, names []string, life trust.Life) *tls.Config {
	t.Helper()
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{protocol}, InsecureSkipVerify: true, ClientAuth: tls.RequireAnyClientCert}
	if a == nil {
		return c
	}
	p, err := a.Issue(names, life)
	must(t, err)
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	must(t, err)
	c.Certificates = []tls.Certificate{pair}
	return c
}

func leaf(c *tls.Conn) *x509.Certificate { return c.ConnectionState().PeerCertificates[0] }
