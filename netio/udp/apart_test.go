package udp

import (
	"testing"

	"github.com/alphapulse/transport/seal/pack"
)

// Frames that travel apart do so when they are compressed, too.
func TestCompressedFramesTravelApart(t *testing.T) {
	codec := func() *pack.Codec {
		c, err := pack.New(pack.Options{Method: pack.LZ4})
		must(t, err)
		return c
	}
	b := newBed(t, SenderOptions{Separate: true, Codec: codec()}, ReceiverOptions{Codec: codec()}, nil)
	b.publish(1, 64)
	b.until("a start", func() bool { return len(b.got) == 1 })
	before := b.send.Datagrams
	for range 20 {
		p, err := b.pub.Claim(500)
		must(t, err)
		clear(p)
		must(t, b.pub.Commit(500))
	}
	b.until("delivery", func() bool { return len(b.got) == 21 })
	if n := b.send.Datagrams - before; n < 20 {
		t.Errorf("20 frames in %d datagrams", n)
	}
}
