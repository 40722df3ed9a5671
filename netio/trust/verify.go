package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

func expected(names []string) ([]pattern, error) {
	narrow, err := patterns(names)
	if err != nil {
		return nil, fmt.Errorf("%w: expected peer: %w", ErrOptions, err)
	}
	return narrow, nil
}

// judge decides on a handshake, and counts what it refuses.
func (i *Identity) judge(cs *tls.ConnectionState, protocol string, usage x509.ExtKeyUsage, narrow []pattern) error {
	r := protocolOf(cs, protocol)
	if r == nil {
		r = i.verify(cs, usage, narrow, time.Now())
	}
	if r == nil {
		return nil
	}
	i.refused[r.Reason].Add(1)
	return r
}

func protocolOf(cs *tls.ConnectionState, protocol string) *Refusal {
	switch {
	case cs.Version < tls.VersionTLS13:
		return &Refusal{Reason: OldVersion, Err: fmt.Errorf("the peer speaks %s", tls.VersionName(cs.Version))}
	case cs.NegotiatedProtocol != protocol:
		return &Refusal{Reason: WrongProtocol, Err: fmt.Errorf("this is %q, and the peer named %q", protocol, cs.NegotiatedProtocol)}
	}
	return nil
}

// verify decides whether the peer of a connection is believed, at an instant.
func (i *Identity) verify(cs *tls.ConnectionState, usage x509.ExtKeyUsage, narrow []pattern, at time.Time) *Refusal {
	if len(cs.PeerCertificates) == 0 {
		return &Refusal{Reason: NoCertificate}
	}
	now, leaf, between := i.now.Load(), cs.PeerCertificates[0], x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: now.roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return &Refusal{Reason: reasonOf(err, at), Err: fmt.Errorf("certificate of %s: %w", strings.Join(Names(leaf), ", "), err)}
	}
	names := Names(leaf)
	if !allowed(names, now.allow) {
		return &Refusal{Reason: NameNotAllowed, Err: fmt.Errorf("the peer is %s, and allowed is %s", strings.Join(names, ", "), strings.Join(now.names, ", "))}
	}
	if narrow != nil && !allowed(names, narrow) {
		return &Refusal{Reason: NameNotAllowed, Err: fmt.Errorf("the peer is %s, and another was dialled", strings.Join(names, ", "))}
	}
	return nil
}

// Verify says whether the peer of a connection that stands would still be believed: by the authorities of now, at the instant at which
// the connection began. A certificate that has ended since does not end the connection; an authority that was taken out of the CA file does.
func (i *Identity) Verify(cs *tls.ConnectionState, began time.Time) error {
	if r := i.verify(cs, x509.ExtKeyUsageAny, nil, began); r != nil {
		i.refused[r.Reason].Add(1)
		return r
	}
	return nil
}
