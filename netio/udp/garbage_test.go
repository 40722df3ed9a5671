package udp

import (
	"testing"

	"github.com/alphapulse/transport/seal"
)

// A stream is not begun for what is no frame: garbage that names sources in turn takes no memory and nobody's place.
func TestGarbageBeginsNoStream(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{}, nil)
	for source := range uint64(100) {
		d := make([]byte, seal.HeaderSize+40)
		(&seal.Header{Kind: seal.Data, Channel: b.recv.channel, Source: source + 1, Epoch: 1, Length: 40, Seq: 1}).Put(d)
		b.inject(d)
	}
	if s := b.recv.tally.Stats; len(b.recv.all) != 0 || s.Dropped[Malformed] != 100 {
		t.Errorf("%d streams: %+v", len(b.recv.all), s)
	}
}
