package trust

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"
)

// Identity is who a node is and whom it believes. All its methods may be called from several goroutines. The zero Identity is not valid:
// use Open.
type Identity struct {
	options Options
	now     atomic.Pointer[loaded]
	refused [reasons]atomic.Uint64
	reloads atomic.Uint64
	failed  atomic.Uint64

	mu       sync.Mutex // one look at a time
	tried    stamps     // how the files were when they were last loaded or refused
	doubt    bool       // refused once: told if they are still like that at the next look
	expiring bool       // told of the certificate that is used

	stop chan struct{}
	done sync.WaitGroup
}

// Stats is how an identity stands.
type Stats struct {
	Names       []string  // of the certificate that is used
	NotBefore   time.Time // when it began to be valid
	NotAfter    time.Time // when it ends
	Authorities int       // that are believed
	Generation  uint64    // 1 at first, one more with each change of the files that was taken
	Reloads     uint64    // changes that were taken
	Failed      uint64    // and that were refused
	Refused     [reasons]uint64
}

// Refusals returns how many handshakes failed for a reason.
func (s *Stats) Refusals(r Reason) uint64 {
	if r < reasons {
		return s.Refused[r]
	}
	return 0
}

// Open reads the files and keeps an eye on them. It answers ErrOptions, or ErrFiles when they do not hold together.
func Open(o Options) (*Identity, error) {
	o, allow, err := o.checked()
	if err != nil {
		return nil, err
	}
	first, err := o.load(time.Now())
	if err != nil {
		return nil, err
	}
	first.generation, first.allow, first.names = 1, allow, o.Allow
	i := &Identity{options: o, tried: first.stamps, stop: make(chan struct{})}
	i.now.Store(first)
	if o.Poll > 0 {
		i.done.Go(i.watch)
	}
	return i, nil
}

// Close ends the looking. Configurations go on with what was loaded last.
func (i *Identity) Close() error {
	i.mu.Lock()
	select {
	case <-i.stop:
	default:
		close(i.stop)
	}
	i.mu.Unlock()
	i.done.Wait()
	return nil
}

// Stats returns how things stand.
func (i *Identity) Stats() Stats {
	l := i.now.Load()
	s := Stats{Names: Names(l.cert.Leaf), NotBefore: l.cert.Leaf.NotBefore, NotAfter: l.cert.Leaf.NotAfter, Authorities: l.authorities,
		Generation: l.generation, Reloads: i.reloads.Load(), Failed: i.failed.Load()}
	for r := range s.Refused {
		s.Refused[r] = i.refused[r].Load()
	}
	return s
}

// Generation counts the changes of the files that were taken, from 1. Who keeps long connections asks Verify again when it has grown.
func (i *Identity) Generation() uint64 { return i.now.Load().generation }

// curves has the key exchange that a later quantum computer does not undo first (FIPS 203).
var curves = []tls.CurveID{tls.X25519MLKEM768, tls.X25519}

// Server makes the configuration of a side that listens. A handshake without the protocol (ALPN) fails: a peer that means another kind of
// link is told so at once.
func (i *Identity) Server(protocol string) *tls.Config {
	c := i.server(protocol)
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return i.server(protocol), nil }
	return c
}

func (i *Identity) server(protocol string) *tls.Config {
	l := i.now.Load()
	return &tls.Config{
		MinVersion: tls.VersionTLS13, CurvePreferences: curves, NextProtos: []string{protocol},
		Certificates: []tls.Certificate{l.cert}, ClientCAs: l.roots, ClientAuth: tls.RequireAndVerifyClientCert,
		SessionTicketsDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return i.judge(&cs, protocol, x509.ExtKeyUsageClientAuth, nil)
		},
	}
}

// Client makes the configuration of a side that dials. The peer must have one of the expected names besides one that is allowed; without
// any, what is allowed is enough. It answers ErrOptions for a name that is none.
func (i *Identity) Client(protocol string, expect ...string) (*tls.Config, error) {
	narrow, err := expected(expect)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, CurvePreferences: curves, NextProtos: []string{protocol},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.now.Load().cert, nil },
		// The authorities of the instant of the handshake count, not those of the instant at which this configuration was made, and
		// names are not host names: VerifyConnection does all that is left out here.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			return i.judge(&cs, protocol, x509.ExtKeyUsageServerAuth, narrow)
		},
	}, nil
}
