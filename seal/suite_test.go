package seal

import (
	"errors"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

func TestSuitesAreNamedBothWays(t *testing.T) {
	for _, s := range suites {
		if got, err := ParseSuite(s.String()); err != nil || got != s {
			t.Errorf("%v: %v, %v", s, got, err)
		}
		a, err := s.aead(make([]byte, s.keySize()))
		if err != nil || a.NonceSize() != nonceSize || a.Overhead() != tagSize {
			t.Errorf("%v: %v", s, err)
		}
	}
	for _, name := range []string{"", "none", "AES-128-GCM", Suite(0).String(), Suite(3).String()} {
		if s, err := ParseSuite(name); !errors.Is(err, ErrSuite) || s != 0 {
			t.Errorf("%q: %v, %v", name, s, err)
		}
	}
	if best := BestSuite(); best != AES128GCM && sys.FastAES() || best.check() != nil {
		t.Errorf("best is %v", best)
	}
}
