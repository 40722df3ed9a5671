package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/seal"
)

// Small frames that never pause are smaller than a question for the session: the sender sends something as large nevertheless.
func TestSmallFramesWithoutAPauseOpenASession(t *testing.T) {
	secret := seal.NewSecret()
	b := newBed(t, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}, nil)
	b.pass(0)
	for range 3 * DefaultHeartbeat / time.Millisecond {
		b.publish(1, 32)
		b.step()
	}
	if len(b.got) == 0 {
		t.Errorf("%d messages sent, none delivered: %+v", b.pub.Seq()-1, b.recv.Stats())
	}
}
