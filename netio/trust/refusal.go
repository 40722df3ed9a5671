package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Reason says why a handshake failed.
type Reason uint8

// The reasons.
const (
	Expired          Reason = iota // a certificate that has ended
	NotYetValid                    // one that has not begun
	UnknownAuthority               // of no authority in the CA file
	NameNotAllowed                 // a peer with none of the names it must have
	NoCertificate                  // a peer that shows none
	Unfit                          // a certificate for another use, or that contradicts itself
	OldVersion                     // a peer without TLS 1.3
	WrongProtocol                  // another protocol, or none named (ALPN)
	NotTLS                         // something else than TLS
	TooSlow                        // not done within its time
	ByPeer                         // the peer refused this node: its own counters say why
	Broken                         // the connection broke, or TLS failed otherwise
	reasons
)

var reasonNames = [reasons]string{"expired", "not_yet_valid", "unknown_authority", "name_not_allowed", "no_certificate", "unfit",
	"old_version", "wrong_protocol", "not_tls", "too_slow", "by_peer", "broken"}

var remedies = [reasons]string{"renew it there, or look at both clocks", "look at both clocks", "both sides' CA files must hold each other's authority",
	"add it to the allow-list, or find out who that is", "the peer must have one: pulse cert issue", "issue it for both server and client use",
	"both sides must speak TLS 1.3", "another kind of link listens there", "the other side does not use TLS", "the other side is overloaded, or is no node",
	"look there: its reasons are counted and told on its side", "it is tried again"}

// String names the reason as metrics do.
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Reasons lists all reasons.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Refusal is a handshake that failed, and why.
type Refusal struct {
	Reason Reason
	Err    error // what was seen; may be nil
}

// Error says why, and what to do.
func (r *Refusal) Error() string {
	text := "trust: " + strings.ReplaceAll(r.Reason.String(), "_", " ")
	if r.Err != nil {
		text += ": " + r.Err.Error()
	}
	return text + ": " + remedies[min(r.Reason, reasons-1)]
}

// Unwrap returns what was seen.
func (r *Refusal) Unwrap() error { return r.Err }

// Refused says why a handshake failed, as a Refusal, and counts it: whoever calls Handshake hands its error through this. A client that
// was refused learns of it with its first read only (RFC 8446 §4.4.2.4), so the error of that one belongs here, too.
func (i *Identity) Refused(err error) error {
	var r *Refusal
	if err == nil || errors.As(err, &r) { // counted where it was refused
		return err
	}
	r = &Refusal{reasonOf(err, time.Now()), err}
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0 {
		r.Err = fmt.Errorf("certificate of %s: %w", strings.Join(Names(unverified.UnverifiedCertificates[0]), ", "), unverified.Err)
	}
	i.refused[r.Reason].Add(1)
	return r
}

func reasonOf(err error, at time.Time) Reason {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	var op *net.OpError
	var timeout net.Error
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && at.Before(invalid.Cert.NotBefore):
		return NotYetValid
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Expired
	case errors.As(err, &invalid):
		return Unfit
	case errors.As(err, &authority):
		return UnknownAuthority
	case errors.As(err, &unverified):
		return Unfit
	case errors.As(err, &record):
		return NotTLS
	case errors.As(err, &op) && op.Op == "remote error": // what crypto/tls makes of an alert
		return alert(op.Err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TooSlow
	}
	for text, r := range untyped {
		if strings.Contains(err.Error(), text) {
			return r
		}
	}
	return Broken
}

// alert is what a peer's alert says. Those of certificates say what the peer thinks of this node's.
func alert(err error) Reason {
	switch err.Error() {
	case tls.AlertError(70).Error(): // protocol_version (RFC 8446 §6.2)
		return OldVersion
	case tls.AlertError(120).Error(): // no_application_protocol
		return WrongProtocol
	}
	return ByPeer
}

// untyped are failures that crypto/tls has no type for. A test notices when it calls them otherwise; then they are Broken.
var untyped = map[string]Reason{
	"client offered only unsupported versions":           OldVersion,
	"server selected unsupported protocol version":       OldVersion,
	"client didn't provide a certificate":                NoCertificate,
	"client requested unsupported application protocols": WrongProtocol,
	"server selected unadvertised ALPN protocol":         WrongProtocol,
	"first record does not look like a TLS handshake":    NotTLS,
}
