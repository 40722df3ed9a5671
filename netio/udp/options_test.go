package udp

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// Options that no sender or receiver can have are refused when it opens, and not by a panic or by its first Do.
func TestImpossibleOptionsAreRefusedAtOnce(t *testing.T) {
	secret := seal.NewSecret()
	for capacity := 1; capacity < 8192; capacity *= 2 {
		r, err := NewReceiver(ReceiverOptions{Channel: "signals", Lines: []Listen{{Bind: anyPort()}}, Inbox: netio.InboxOptions{Capacity: capacity}})
		if err == nil {
			must(t, r.Close())
		}
	}
	for name, o := range map[string]SenderOptions{
		"no secret":        {Secret: &seal.Secret{}},
		"an unknown suite": {Secret: &secret, Suite: 7},
		"limits":           {Secret: &secret, Limits: seal.Limits{Time: 1}},
	} {
		o.Channel, o.Lines = "signals", []Dial{{To: netip.AddrPortFrom(loopback, 9)}}
		if s, err := NewSender(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				must(t, s.Close())
			}
		}
	}
	if r, err := NewReceiver(ReceiverOptions{Channel: "signals", Lines: []Listen{{Bind: anyPort()}}, Secret: &seal.Secret{}}); !errors.Is(err, ErrOptions) {
		t.Errorf("no secret: %v", err)
		if err == nil {
			must(t, r.Close())
		}
	}
}
