package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio/trust"
)

// secret writes a file of credentials.
func secret(t *testing.T, line string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(line), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused wants Open to say all of these words, soon.
func refused(t *testing.T, o Options, words ...string) error {
	t.Helper()
	began := time.Now()
	q, err := Open(o)
	if err == nil {
		t.Fatal("opened", q.Close())
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
	if took := time.Since(began); took > openWait+5*time.Second {
		t.Errorf("it took %s", took)
	}
	return err
}

func TestEveryFaultOfTheOptionsIsToldAtOnce(t *testing.T) {
	_, err := Open(Options{Brokers: []string{"nowhere"}, Topic: "no topic", Window: 1 << 20, Linger: -1, Cert: "c", Mechanism: "kerberos", Retention: -1})
	if !errors.Is(err, mqadapt.ErrOptions) {
		t.Fatal(err)
	}
	for _, want := range []string{`"nowhere"`, `"no topic"`, "1048576", "-1ns", "takes a key", `"kerberos"`, "without a file", "retention"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in:\n%v", want, err)
		}
	}
	for _, o := range []Options{{}, {Brokers: []string{"h:1"}}, {Topic: "t"}, {Brokers: []string{"h:1"}, Topic: "."},
		{Brokers: []string{"h:1"}, Topic: "t", Credentials: "f", Mechanism: plainText}} {
		if _, err := Open(o); !errors.Is(err, mqadapt.ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestMissingTopicAndBrokerAreNamed(t *testing.T) {
	refused(t, Options{Brokers: fake(t).ListenAddrs(), Topic: "nobody-made-me"}, "nobody-made-me", "does not exist", "provision")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{Brokers: []string{gone}, Topic: "t"}, gone)
}

func TestWrongCredentialsAreSaidAndNotShown(t *testing.T) {
	c := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "pulse", "right-word"), kfake.SeedTopics(1, "t"))
	with := func(file, mechanism string) Options {
		return Options{Brokers: c.ListenAddrs(), Topic: "t", Credentials: file, Mechanism: mechanism}
	}
	open(t, with(secret(t, "pulse:right-word\n", 0o600), ""))
	for name, o := range map[string]Options{
		"password": with(secret(t, "pulse:wrong-word", 0o600), ""), "user": with(secret(t, "nobody:right-word", 0o600), ""),
	} {
		if err := refused(t, o, "believe the user", o.Credentials); strings.Contains(err.Error(), "-word") {
			t.Errorf("%s: the password is shown: %v", name, err)
		}
	}
	refused(t, with("", ""), "credentials")
	refused(t, with(secret(t, "pulse:right-word", 0o640), ""), "0640", "chmod 600")
	for _, text := range []string{"", "pulse", ":word", "pulse:", "pulse:a\nother:b"} {
		if err := refused(t, with(secret(t, text, 0o600), ""), "user:password"); strings.Contains(err.Error(), "other") {
			t.Error(err)
		}
	}
	refused(t, with(filepath.Join(t.TempDir(), "none"), ""), "none")
}

func TestChangedCredentialsCountFromTheNextConnectionOn(t *testing.T) {
	c := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "pulse", "word"), kfake.SeedTopics(1, "t"))
	file := secret(t, "pulse:old", 0o600)
	o := Options{Brokers: c.ListenAddrs(), Topic: "t", Credentials: file, Mechanism: scramSHA256}
	refused(t, o, "believe the user")
	if err := os.WriteFile(file, []byte("pulse:word"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := open(t, o)
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	putAll(t, p, 1, 1, 10)
}

// authority makes one, and a certificate of it for a server on loopback, and for a client.
func authority(t *testing.T) (ca string, server tls.Certificate, cert, key string, pool *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	until := time.Now().Add(time.Hour)
	a, err := trust.NewAuthority("brokers", until)
	if err != nil {
		t.Fatal(err)
	}
	life := trust.Life{From: time.Now().Add(-time.Minute), Until: until}
	for name, who := range map[string][]string{"server": {"127.0.0.1"}, "client": {"pulse.example"}} {
		pair, err := a.Issue(who, life)
		if err == nil {
			err = pair.Write(at(name+".crt"), at(name+".key"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Pair.Write(at("ca.crt"), at("ca.key")); err != nil {
		t.Fatal(err)
	}
	if server, err = tls.LoadX509KeyPair(at("server.crt"), at("server.key")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(at("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return at("ca.crt"), server, at("client.crt"), at("client.key"), pool
}

func TestTLSIsMutualAndWhatDoesNotFitIsSaid(t *testing.T) {
	ca, server, cert, key, pool := authority(t)
	c := fake(t, kfake.SeedTopics(1, "t"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	o := Options{Brokers: c.ListenAddrs(), Topic: "t", CA: ca, Cert: cert, Key: key}
	q := open(t, o)
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	putAll(t, p, 1, 1, 10)

	stranger, _, _, _, _ := authority(t)
	wrong := o
	wrong.CA = stranger
	refused(t, wrong, "not believed", "CA")
	_, _, otherCert, otherKey, _ := authority(t)
	wrong = o
	wrong.Cert, wrong.Key = otherCert, otherKey
	refused(t, wrong, "Cert and Key")
	refused(t, Options{Brokers: o.Brokers, Topic: "t"}, "TLS")
	refused(t, Options{Brokers: fake(t).ListenAddrs(), Topic: "t", CA: ca}, "speak TLS")
	wrong = o
	wrong.CA = key
	refused(t, wrong, key, "no certificate")
}

func TestOlderBrokerIsNamed(t *testing.T) {
	old := fake(t, kfake.SeedTopics(1, "t"), kfake.MaxVersions(kversion.V1_0_0()))
	refused(t, Options{Brokers: old.ListenAddrs(), Topic: "t"}, "2.1 or later", "1.0")
	three := fake(t, kfake.SeedTopics(1, "t"), kfake.MaxVersions(kversion.V3_6_0()))
	open(t, Options{Brokers: three.ListenAddrs(), Topic: "t"})
	refused(t, Options{Brokers: three.ListenAddrs(), Topic: "t", Transaction: "id"}, "4.0 or later")
}

func TestProvisionSaysWhatItWouldDoAndDoesIt(t *testing.T) {
	provisioning(t, fake(t).ListenAddrs())
}

func provisioning(t *testing.T, brokers []string) {
	o := Options{Brokers: brokers, Topic: fmt.Sprint("provisioned-", time.Now().UnixNano()), Partitions: 3, Retention: time.Hour, RetentionBytes: 1 << 20}
	ctx := context.Background()
	do := func(o Options, dry bool) string {
		t.Helper()
		steps, err := Provision(ctx, o, dry)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	for range 2 {
		if s := do(o, true); !strings.Contains(s, "create topic "+o.Topic+": partitions 3") || !strings.Contains(s, "retention.ms = 3600000") {
			t.Fatal(s)
		}
	}
	refused(t, o, "does not exist")
	do(o, false)
	open(t, o)
	if s := do(o, false); s != "" {
		t.Errorf("again: %s", s)
	}
	o.Retention = 2 * time.Hour
	for _, dry := range []bool{true, false} {
		if s := do(o, dry); s != "topic "+o.Topic+": retention.ms = 7200000, was 3600000" {
			t.Errorf("dry %v: %s", dry, s)
		}
	}
	o.Partitions = 4
	if _, err := Provision(ctx, o, false); !errors.Is(err, mqadapt.ErrOptions) || !strings.Contains(err.Error(), "3 partitions, not 4") {
		t.Error(err)
	}
	o.Topic, o.Replicas = "too-many-replicas", 3
	if _, err := Provision(ctx, o, true); err == nil {
		t.Error("three replicas on one broker")
	}
}
