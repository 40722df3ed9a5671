package tcp

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio/link"
)

// A node that is not believed hears of it once it believes that it is connected, and may then have sent already, or find the connection reset: it
// still learns why. Nothing of it stays open.
func TestDialerLearnsWhyItIsNotBelieved(t *testing.T) {
	if all, err := os.ReadDir("/proc/self/fd"); err == nil {
		t.Cleanup(func() {
			if now, err := os.ReadDir("/proc/self/fd"); err != nil || len(now) > len(all)+4 { // the runtime opens its own
				t.Errorf("%d descriptors were open, and %d are: %v", len(all), len(now), err)
			}
		})
	}
	ca, other := newAuthority(t), newAuthority(t)
	for name, pause := range map[string]time.Duration{"quick": 0, "slow": 5 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				b := newBed(t, func(lo *ListenOptions, do *DialOptions) {
					secured(ca, "a", time.Now().Add(time.Hour))(lo, do)
					do.TLS.Certificates = other.node("a", time.Now().Add(time.Hour)).Certificates
					for range 100 { // so many that not all that is sent is read
						do.TLS.Certificates[0].Certificate = append(do.TLS.Certificates[0].Certificate, do.TLS.Certificates[0].Certificate[0])
					}
				}, "ticks")
				var next time.Time
				b.dial = func() (int, error) {
					if time.Now().Before(next) {
						return 0, nil
					}
					next = time.Now().Add(pause)
					return b.dialer.Do()
				}
				b.until("it is refused", func() bool { return len(b.said(link.Disconnected)) > 0 })
				if err := b.said(link.Disconnected)[0].Err; !strings.Contains(err.Error(), "certificate") {
					t.Error(err)
				}
			}
		})
	}
}
