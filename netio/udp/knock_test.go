package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
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

// One datagram that names many sources is answered with no more bytes than it has.
func TestOneDatagramIsNotAnsweredForEachEnvelope(t *testing.T) {
	secret := seal.NewSecret()
	b := newBed(t, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}, nil)
	var d []byte
	for source := uint64(1); source <= 25; source++ {
		one := make([]byte, seal.HeaderSize+seal.Overhead)
		(&seal.Header{Kind: seal.Heartbeat, Sealed: true, Suite: seal.AES128GCM, Channel: b.recv.channel, Source: source, Epoch: 1, Length: seal.Overhead, Seq: 1}).Put(one)
		d = append(d, one...)
	}
	b.recv.lines[0].from, _ = sys.AddressOf(b.send.Local(0))
	b.inject(d)
	asked := 0
	for i := range b.recv.pending {
		if b.recv.pending[i].source != 0 {
			asked++
		}
	}
	if asked == 0 || asked*helloWhole > len(d) {
		t.Errorf("%d bytes are answered with %d", len(d), asked*helloWhole)
	}
}
