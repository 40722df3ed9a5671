package redis

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
)

// papers writes a certificate that signs itself, and its key.
func papers(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kder}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// secure has a server speak TLS on another port, and believe one client.
func secure(t *testing.T, b *brokers.Broker, dir string) (url, cert, key string) {
	t.Helper()
	cert, key = papers(t, dir, "server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = client(t, b.URL).Do(context.Background(), "config", "set", "tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file", cert,
		"tls-port", port).Err()
	if err != nil && strings.Contains(err.Error(), "Unknown option") {
		t.Skip("a server without TLS")
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("rediss://127.0.0.1:%d", port), cert, key
}

func TestTLSIsMutualAndWhatDoesNotFitIsSaid(t *testing.T) {
	dir := t.TempDir()
	b := private(t)
	url, cert, key := secure(t, b, dir)
	foreign, foreignKey := papers(t, dir, "foreign")
	good := Options{URL: url, Stream: "s", CA: cert, Cert: cert, Key: key}
	put(t, bedProducer(t, bed(t, good)), 1, 100, 1000)
	for what, o := range map[string]Options{
		"unknown authority": {URL: url, CA: foreign, Cert: cert, Key: key},
		"rediss":            {URL: b.URL, CA: cert},
		"no certificate":    {URL: url, CA: key, Cert: cert, Key: key},
		"no such file":      {URL: url, CA: filepath.Join(dir, "none")},
		"redis: 127.0.0.1":  {URL: url, CA: cert},
		"127.0.0.1":         {URL: url, CA: cert, Cert: foreign, Key: foreignKey},
		"private key":       {URL: url, CA: cert, Cert: cert, Key: foreignKey},
		"deadline":          {URL: strings.Replace(b.URL, "redis:", "rediss:", 1), CA: cert, Cert: cert, Key: key},
	} {
		o.Stream, o.Patience = "s", time.Second
		q, err := Open(o)
		if err == nil {
			t.Fatal(what, q.Close())
		}
		if !strings.Contains(err.Error(), what) {
			t.Errorf("not %q: %v", what, err)
		}
	}
}
