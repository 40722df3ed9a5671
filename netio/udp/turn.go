package udp

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/seal"
)

// A group's secret turns while frames flow: receivers are given the next one beside the one of now, then senders turn to it, then
// receivers are left with it alone. Sessions are opened anew as after a restart, so what is under way at the turn is asked for again on a
// repaired channel and lost by count on another.

// MaxSecrets is how many a Receiver opens with at one time: those of as many senders, or of one, of now and the next or the last. Each announce
// that was asked for is tried with all of them.
const MaxSecrets = 64

// SetSecret seals with another secret from the next tick on, in new sessions. It may be called from any goroutine.
func (s *Sender) SetSecret(secret seal.Secret) error {
	if s.options.Secret == nil {
		return fmt.Errorf("%w: sender of channel %q: nothing is sealed", ErrOptions, s.options.Channel)
	}
	if _, err := seal.NewSealer(secret, s.options.Suite, seal.Session{}, s.options.Limits); err != nil {
		return onChannel(s.options.Channel, err)
	}
	s.next.Store(&secret)
	return nil
}

// turnSecret begins all sessions anew when there is another secret.
func (s *Sender) turnSecret() {
	next := s.next.Swap(nil)
	if next == nil {
		return
	}
	s.options.Secret = next
	for _, f := range s.feeds {
		f.sessions = [MaxLines]*outbound{}
	}
}

// SetSecrets opens with these secrets from the next chores on, at most MaxSecrets, and with no other: sessions of others are closed. It may be called
// from any goroutine.
func (r *Receiver) SetSecrets(secrets ...seal.Secret) error {
	if r.options.Secret == nil || len(secrets) < 1 || len(secrets) > MaxSecrets {
		return fmt.Errorf("%w: receiver of channel %q: %d secrets: 1 to %d, of a sealed channel", ErrOptions, r.options.Channel, len(secrets), MaxSecrets)
	}
	var faults []error
	for _, s := range secrets {
		_, err := seal.NewBackSealer(s, seal.BestSuite(), seal.Session{}, seal.Salt{}, 1)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return onChannel(r.options.Channel, err)
	}
	own := append([]seal.Secret(nil), secrets...)
	r.next.Store(&own)
	return nil
}

// turnSecrets closes the sessions of secrets that are out of use.
func (r *Receiver) turnSecrets() {
	next := r.next.Swap(nil)
	if next == nil {
		return
	}
	r.secrets = *next
	for _, s := range r.all {
		for i := range s.sessions {
			if one := &s.sessions[i]; one.opener != nil && !r.opens(one.secret) {
				*one = session{}
			}
		}
	}
}

func (r *Receiver) opens(secret seal.Secret) bool {
	for _, s := range r.secrets {
		if s.Equal(secret) {
			return true
		}
	}
	return false
}

// openAnnounce finds the secret by which an announce is true.
func (r *Receiver) openAnnounce(header, body []byte, nonce seal.Nonce) (a seal.Announce, secret seal.Secret, err error) {
	for _, secret = range r.secrets {
		if a, err = seal.OpenAnnounce(secret, header, body, nonce); err == nil {
			return a, secret, nil
		}
	}
	return a, secret, err
}
