package topo

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a value that is never printed: every way to format it shows only where it came from. The zero Secret is none.
type Secret struct {
	value string
	from  string
}

// NewSecret makes a secret for tests and callers that build a Topology by hand; from is what is shown instead of it.
func NewSecret(value, from string) Secret { return Secret{value, from} }

// Reveal is the value itself.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == "" }

// String is where the secret came from, empty if there is none.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "secret from " + s.from
}

// Format shows the same under every verb: %x and %d would otherwise print the bytes.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps loggers from showing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
