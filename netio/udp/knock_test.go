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

// A sender outlives its receivers: however many came and went, the next one is heard.
func TestReceiversMayComeAndGoForever(t *testing.T) {
	secret := seal.NewSecret()
	b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &secret}, ReceiverOptions{Reliability: Repaired, Secret: &secret}, nil)
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == 10 && b.send.Drained() })
	w, f := b.send.wires[0], b.send.feeds[0]
	from, _ := sys.AddressOf(b.recv.Local(0))
	for range 5 * maxReceivers {
		o, err := b.send.session(w, f)
		must(t, err)
		id := seal.NewReceiver()
		back, err := seal.NewBackSealer(secret, b.send.options.Suite, seal.Session{Channel: b.send.channel, Source: f.source, Epoch: o.epoch}, o.sealer.Salt(), id)
		must(t, err)
		body := make([]byte, seal.StatusSize)
		(&seal.StatusBody{Next: 1, Receiver: id}).Put(body)
		d := make([]byte, seal.HeaderSize+seal.Overhead+len(body))
		(&seal.Header{Kind: seal.Status, Sealed: true, Suite: b.send.options.Suite, Channel: b.send.channel, Source: f.source, Epoch: o.epoch,
			Length: seal.Overhead + len(body), Seq: id}).Put(d)
		_, err = back.Seal(d[seal.HeaderSize:], d[:seal.HeaderSize], body)
		must(t, err)
		b.send.hellos = 1
		must(t, b.send.heardOne(w, d, &from, b.send.clock.now))
		if f.receiver(id) == nil {
			t.Fatalf("not heard: %+v", b.send.tally.Stats)
		}
		f.receivers = f.receivers[:1] // the rest have gone
	}
	b.publish(10, 64)
	b.until("delivery", func() bool { return len(b.got) == 20 && b.send.Drained() })
	b.verify(1, 20, false)
}
