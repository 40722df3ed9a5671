package redis

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

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/alphapulse/transport/mqadapt"
)

// Bounds and defaults of Options.
const (
	DefaultWindow   = 1024
	DefaultPatience = 10 * time.Second
	DefaultLease    = 10 * time.Second

	mostWindow   = 1 << 16
	leastWait    = 10 * time.Millisecond
	mostDial     = 5 * time.Second
	mostFile     = 1 << 20
	readBuffered = 64 << 10
)

// Options say where a stream lies and what it keeps. The zero value of all but URL and Stream is the default.
type Options struct {
	// URL is redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH.
	URL string

	// Stream is the key; the lease of group G lies at {Stream}:G:lease.
	Stream string

	// User and PasswordFile are who we are. The file is its owner's alone (0600) and read at each connect, so that it may change.
	User         string
	PasswordFile string

	// CA says whom a rediss:// URL believes, in place of the system's roots; Cert and Key are what the server is shown if it asks. PEM files,
	// read by Open.
	CA, Cert, Key string

	// Durability is what an accepted envelope outlives. mqadapt.Process, the default, needs a server with an append-only file; mqadapt.OS one
	// that syncs it always. Open asks the server, and refuses with ErrWeaker what it does not give, or what it does not tell.
	Durability mqadapt.Durability

	// Weaker takes the server as it is. Queue.Durability says how that is.
	Weaker bool

	// Replicas is how many replicas must have an envelope, too, before it is accepted (WAIT). Fewer within Patience make it unknown.
	Replicas int

	// Window is how many envelopes a producer has under way at most; 0 means DefaultWindow.
	Window int

	// Patience is how long the server may be silent before its link is given up; 0 means DefaultPatience.
	Patience time.Duration

	// Lease is after how long a member that says nothing loses its group to another; 0 means DefaultLease.
	Lease time.Duration

	// MaxLen bounds the stream, in entries; 0: the server's memory does. At the bound envelopes are rejected with mqadapt.ErrFull until every
	// group has acknowledged some. Of several producers each looks for itself: together they may pass the bound by an eighth each.
	MaxLen int64

	// DropOldest has the oldest entries go instead, whether a group had them or not. A group learns how many it lost. It takes Redis 7.
	DropOldest bool

	password func() string // in place of PasswordFile; nil: there is none
}

// checked returns o with its defaults, or all its faults.
func (o Options) checked() (Options, error) {
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("redis: %w: "+format, append([]any{mqadapt.ErrOptions}, args...)...))
		}
	}
	fault(o.URL == "", "no URL")
	fault(o.Stream == "" || strings.ContainsAny(o.Stream, "{}"), "stream %q: a name without braces", o.Stream)
	fault(o.Window < 1 || o.Window > mostWindow, "window of %d envelopes, not 1 to %d", o.Window, mostWindow)
	fault(o.Patience < leastWait || o.Lease < leastWait, "patience %s, lease %s: at least %s", o.Patience, o.Lease, leastWait)
	fault(o.Durability > mqadapt.OS, "durability %d", o.Durability)
	fault(o.Replicas < 0 || o.MaxLen < 0, "%d replicas, %d entries", o.Replicas, o.MaxLen)
	fault(o.DropOldest && o.MaxLen == 0, "the oldest are to be dropped, and MaxLen does not say when")
	fault(o.User != "" && o.PasswordFile == "" && o.password == nil, "user %q without a password file", o.User)
	fault((o.Cert == "") != (o.Key == ""), "certificate %q, key %q: both or none", o.Cert, o.Key)
	return o, errors.Join(faults...)
}

// dialing are the options of connections.
func (o Options) dialing() (*redis.Options, error) {
	r, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: %w: %w", mqadapt.ErrOptions, err)
	}
	r.MaxRetries = -1 // an XADD that is sent again is there twice
	r.DialerRetries = 1
	r.DialTimeout = min(o.Patience, mostDial)
	r.ReadTimeout, r.WriteTimeout, r.PoolTimeout = o.Patience, o.Patience, o.Patience
	r.PoolSize = 2 // one that works, one for its end
	r.ReadBufferSize, r.WriteBufferSize = readBuffered, readBuffered
	r.Protocol = 2
	r.DisableIdentity = true
	r.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.password != nil {
		r.CredentialsProviderContext = func(context.Context) (string, string, error) { return o.User, o.password(), nil }
	}
	if o.PasswordFile != "" {
		if _, err := readFile(o.PasswordFile, true); err != nil {
			return nil, fmt.Errorf("redis: %w: %w", mqadapt.ErrOptions, err)
		}
		r.CredentialsProviderContext = func(context.Context) (string, string, error) {
			text, err := readFile(o.PasswordFile, true)
			return o.User, strings.TrimRight(string(text), "\r\n"), err
		}
	}
	if r.TLSConfig == nil {
		if o.CA != "" || o.Cert != "" {
			return nil, fmt.Errorf("redis: %w: TLS files, and the URL is not rediss://", mqadapt.ErrOptions)
		}
		return r, nil
	}
	r.TLSConfig.MinVersion = tls.VersionTLS12 // what managed servers have
	if o.CA != "" {
		text, err := readFile(o.CA, false)
		if err != nil {
			return nil, fmt.Errorf("redis: %w: %w", mqadapt.ErrOptions, err)
		}
		if r.TLSConfig.RootCAs = x509.NewCertPool(); !r.TLSConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis: %w: no certificate in %s", mqadapt.ErrOptions, o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("redis: %w: %w", mqadapt.ErrOptions, err)
		}
		r.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return r, nil
}

// readFile reads a small file, of a secret one only if it is its owner's alone. The open file is asked, not the name.
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
		return nil, fmt.Errorf("%s is no file of at most %d bytes", path, mostFile)
	case secret && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: its mode %#o lets others read a password: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(f, mostFile))
}
