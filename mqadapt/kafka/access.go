package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/alphapulse/transport/mqadapt"
)

// The mechanisms by which a user is shown to be one.
const (
	scramSHA512 = "scram-sha-512"
	scramSHA256 = "scram-sha-256"
	plainText   = "plain"
)

const (
	dialWait  = 5 * time.Second
	leastWait = 50 * time.Millisecond // between two tries of a request
	mostWait  = time.Second
	mostFile  = 1 << 20 // bytes of a file of certificates, or of credentials
)

// access returns what every client of these options has in common: who it is, whom it believes, how it tries again.
func (o *Options) access() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID("pulse"), kgo.DisableClientMetrics(), kgo.DialTimeout(dialWait),
		kgo.MetadataMinAge(mostWait), kgo.RetryBackoffFn(func(tries int) time.Duration { return min(leastWait<<min(tries, 10), mostWait) }),
	}
	if o.TLS {
		c, err := o.trust()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(c))
	}
	if o.Credentials == "" && o.password == nil {
		return opts, nil
	}
	if _, _, err := o.user(); err != nil { // now, not at the first connection
		return nil, err
	}
	return append(opts, kgo.SASL(o.mechanism())), nil
}

// trust makes the configuration of TLS.
func (o *Options) trust() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		text, err := readFile(o.CA, false)
		if err != nil {
			return nil, fmt.Errorf("kafka: authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("kafka: %w: authorities: %s has no certificate in PEM", mqadapt.ErrOptions, o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("kafka: %w: certificate %s: %w", mqadapt.ErrOptions, o.Cert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// mechanism reads the credentials again whenever a connection asks for them.
func (o *Options) mechanism() sasl.Mechanism {
	if o.Mechanism == plainText {
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			user, password, err := o.user()
			return plain.Auth{User: user, Pass: password}, err
		})
	}
	show := func(context.Context) (scram.Auth, error) {
		user, password, err := o.user()
		return scram.Auth{User: user, Pass: password}, err
	}
	if o.Mechanism == scramSHA256 {
		return scram.Sha256(show)
	}
	return scram.Sha512(show)
}

// proves reports whether the broker is told who we are.
func (o *Options) proves() bool { return o.Credentials != "" || o.password != nil }

// whence is where name and password come from.
func (o *Options) whence() string {
	if o.password != nil {
		return "the user and the password of the queue"
	}
	return "the credentials in " + o.Credentials
}

// user reads the file of credentials. Its text is in no error.
func (o *Options) user() (name, password string, err error) {
	if o.password != nil {
		return o.name, o.password(), nil
	}
	text, err := readFile(o.Credentials, true)
	if err != nil {
		return "", "", fmt.Errorf("kafka: credentials: %w", err)
	}
	line := strings.TrimRight(string(text), "\r\n")
	name, password, ok := strings.Cut(line, ":")
	if !ok || name == "" || password == "" || strings.ContainsAny(line, "\r\n") {
		return "", "", fmt.Errorf("kafka: %w: credentials: %s is not one line of user:password", mqadapt.ErrOptions, o.Credentials)
	}
	return name, password, nil
}

// readFile reads at most mostFile bytes, of a secret file only when it is its owner's alone. The open file is asked, not the name.
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
	case !info.Mode().IsRegular() || info.Size() > mostFile:
		return nil, fmt.Errorf("%w: %s is no regular file of at most %d bytes", mqadapt.ErrOptions, path, mostFile)
	case secret && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: the mode %#o of %s lets others at it: chmod 600", mqadapt.ErrOptions, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(f, mostFile))
}
