package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// paper is a certificate of curve P-256, which Java reads from PEM, and its key.
type paper struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text []byte // of both, PEM
	pub  []byte // of the certificate
}

func newPaper(t *testing.T, name string, by *paper) *paper {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	p, parent, signer := &paper{key: key}, template, key
	if by == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err == nil {
		p.cert, err = x509.ParseCertificate(der)
	}
	var private []byte
	if err == nil {
		private, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.pub = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.text = append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), p.pub...)
	return p
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRealBrokerWantsCertificateAndPasswordAndSaysWhatIsWrong(t *testing.T) {
	authority := newPaper(t, "authority", nil)
	ca := write(t, "ca.pem", authority.pub)
	b := private(t, "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL",
		"ssl.keystore.type=PEM", "ssl.keystore.location="+write(t, "server.pem", newPaper(t, "server", authority).text),
		"ssl.truststore.type=PEM", "ssl.truststore.location="+ca, "listener.name.secure.ssl.client.auth=required",
		"sasl.enabled.mechanisms=SCRAM-SHA-512", "listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512",
		"listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;")
	o := fresh(t, []string{b.Addr()}, Options{})
	made, err := admin(t, o.Brokers).AlterUserSCRAMs(context.Background(), nil,
		[]kadm.UpsertSCRAM{{User: "pulse", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "right-word"}})
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	mine := write(t, "client.pem", newPaper(t, "client", authority).text)
	secure := Options{Brokers: []string{b.SecureAddr()}, Topic: o.Topic, CA: ca, Cert: mine, Key: mine, Credentials: secret(t, "pulse:right-word\n", 0o600)}
	q := open(t, secure)
	putAll(t, producerOf(t, q), 1, 1, 50)
	numbers(t, consumerOf(t, q, "g"), 50, true)

	wrong := secure
	wrong.Credentials = secret(t, "pulse:wrong-word\n", 0o600)
	refused(t, wrong, "believe the user", wrong.Credentials)
	wrong = secure
	wrong.Mechanism = plainText
	refused(t, wrong, "another mechanism")
	wrong = secure
	wrong.Credentials, wrong.Mechanism = "", ""
	refused(t, wrong, "credentials")
	wrong = secure
	wrong.CA = write(t, "stranger.pem", newPaper(t, "stranger", nil).pub)
	refused(t, wrong, "not believed", "CA")
	stranger := newPaper(t, "stranger", nil)
	theirs := write(t, "theirs.pem", newPaper(t, "client", stranger).text)
	wrong = secure
	wrong.Cert, wrong.Key = theirs, theirs
	refused(t, wrong, "Cert and Key")
	wrong = Options{Brokers: secure.Brokers, Topic: o.Topic}
	refused(t, wrong, "TLS")
	wrong = secure
	wrong.Brokers = []string{b.Addr()}
	refused(t, wrong, "TLS")
}
