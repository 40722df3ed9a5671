package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/alphapulse/transport/internal/sys"
)

// secretSize is the size of a secret in bytes.
const secretSize = 32

// Secret is what both ends of a channel share and nobody else knows: 32 random bytes, or what the TLS exporter of a
// control link gave. All traffic keys come from it. The zero Secret is not valid.
//
// It does not print: the bytes lie behind two pointers, because fmt cannot call String on the unexported field of another
// struct and, asked with a verb that does not fit, follows one.
type Secret struct{ b **[secretSize]byte }

// NewSecret draws a secret.
func NewSecret() Secret {
	var b [secretSize]byte
	_, _ = rand.Read(b[:]) // ends the program rather than fail, since Go 1.24
	return SecretOf(b)
}

// SecretOf is the secret with these bytes, for secrets that come from elsewhere than a file.
func SecretOf(b [secretSize]byte) Secret {
	p := &b
	return Secret{&p}
}

// bytes answers ErrSecret for the zero Secret.
func (s Secret) bytes() ([]byte, error) {
	if s.b == nil {
		return nil, fmt.Errorf("%w: the zero Secret is not valid", ErrSecret)
	}
	return (*s.b)[:], nil
}

// Equal reports whether two secrets are the same, in a time that does not tell where they differ.
func (s Secret) Equal(t Secret) bool {
	return s.b != nil && t.b != nil && subtle.ConstantTimeCompare((*s.b)[:], (*t.b)[:]) == 1
}

// String says that this is a secret, and not which.
func (s Secret) String() string { return "seal.Secret(redacted)" }

// GoString says that this is a secret, and not which.
func (s Secret) GoString() string { return s.String() }

// A secret's file holds 64 hex digits and perhaps a newline.
const secretDigits = 2 * secretSize

// LoadSecret reads a secret that Write wrote. It refuses, with ErrSecret and the remedy, a file that anybody but its owner
// may read or write, that belongs to neither this user nor root, that is a symbolic link or no regular file, or that holds
// anything but 64 hex digits.
func LoadSecret(path string) (s Secret, err error) {
	f, err := sys.OpenShared(path, false)
	if errors.Is(err, syscall.ELOOP) {
		return Secret{}, secretFault(path, "it is a symbolic link: name the file itself")
	}
	if err != nil {
		return Secret{}, fmt.Errorf("seal: %w: %w", ErrSecret, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	facts, err := sys.Facts(f)
	if err != nil {
		return Secret{}, fmt.Errorf("seal: %w: %w", ErrSecret, err)
	}
	switch {
	case !facts.Regular:
		return Secret{}, secretFault(path, "it is no regular file")
	case facts.UID != os.Geteuid() && facts.UID != 0:
		return Secret{}, secretFault(path, fmt.Sprintf("it belongs to user %d and this is user %d: chown it", facts.UID, os.Geteuid()))
	case facts.Mode&0o077 != 0:
		return Secret{}, secretFault(path, fmt.Sprintf("its mode %#o lets others at it: chmod 600 %s, and replace the secret if others could have read it", facts.Mode, path))
	}
	return readSecret(path, f)
}

// readSecret reads at most one byte more than a secret has.
func readSecret(path string, r io.Reader) (Secret, error) {
	text, err := io.ReadAll(io.LimitReader(r, secretDigits+2))
	if err != nil {
		return Secret{}, fmt.Errorf("seal: %w: %w", ErrSecret, err)
	}
	return ParseSecret(path, string(text))
}

// ParseSecret reads a secret as Write writes it. place is where the text came from, for errors, which never quote it.
func ParseSecret(place, text string) (Secret, error) {
	text = strings.TrimSuffix(text, "\n")
	var b [secretSize]byte
	if len(text) != secretDigits {
		return Secret{}, secretFault(place, "it does not hold 64 hex digits and a newline: make one with pulse keygen")
	}
	if _, err := hex.Decode(b[:], []byte(text)); err != nil { // its text would quote a digit
		return Secret{}, secretFault(place, "it holds something else than hex digits: make one with pulse keygen")
	}
	return SecretOf(b), nil
}

func secretFault(path, fault string) error {
	return fmt.Errorf("seal: %w: %s: %s", ErrSecret, path, fault)
}

// Write puts the secret into a new file of mode 0600, as 64 hex digits and a newline. It overwrites nothing (fs.ErrExist)
// and leaves no half file behind.
func (s Secret) Write(path string) error {
	b, err := s.bytes()
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("seal: %w: %w", ErrSecret, err)
	}
	_, err = fmt.Fprintf(f, "%x\n", b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("seal: %w: %w", ErrSecret, errors.Join(err, os.Remove(path)))
	}
	return nil
}
