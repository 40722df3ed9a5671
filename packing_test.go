package transport_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// weighed is a medium that counts what its channels' codecs pack.
type weighed struct {
	transport.Medium
	packed *atomic.Uint64
}

func (w weighed) Open(s netio.Station) (netio.Ways, error) {
	ways, err := w.Medium.Open(s)
	return weighedWays{ways, w.packed}, err
}

type weighedWays struct {
	netio.Ways
	packed *atomic.Uint64
}

func (w weighedWays) To(far netio.Far) (netio.Way, error) {
	for i, e := range far.Exchanges {
		if e.Codec != nil {
			far.Exchanges[i].Codec = func() seal.Codec { return weighedCodec{e.Codec(), w.packed} }
		}
	}
	return w.Ways.To(far)
}

type weighedCodec struct {
	seal.Codec
	packed *atomic.Uint64
}

func (w weighedCodec) Pack(dst, src []byte) (int, uint8) {
	n, codec := w.Codec.Pack(dst, src)
	if codec != 0 {
		w.packed.Add(1)
	}
	return n, codec
}

// What a topology says of a channel's compression is done on its way, whatever carries it.
func TestCompressionOfAChannelPacksItsEnvelopes(t *testing.T) {
	for _, medium := range []transport.Medium{tcp.Medium{}, udp.Medium{}} {
		for _, how := range []string{"none", "lz4", "snappy", "zstd, compression_level: 3"} {
			t.Run(medium.Protocol()+" "+how, func(t *testing.T) { carriesPacked(t, medium, how) })
		}
	}
}

func carriesPacked(t *testing.T, medium transport.Medium, how string) {
	dir := t.TempDir()
	file := pipeline(t, dir, fmt.Sprintf("  quotes: { protocol: %[1]s, encryption: none, reliability: at_least_once, compression: %[2]s }\n  orders: { protocol: %[1]s, encryption: none }\n",
		medium.Protocol(), how))
	var packed atomic.Uint64
	open := func(node, actor string) *transport.Node {
		n, err := transport.Open(t.Context(), transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, node),
			Media: []transport.Medium{weighed{medium, &packed}}, Notes: func(n netio.Note) { t.Logf("%s: %+v", node, n) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		return n
	}
	left, middle := open("left", "feed"), open("middle", "brain")
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := middle.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const total, size = 2000, 1000
	want := bytes.Repeat([]byte("buy low, sell high; "), size/20)
	sent, next := uint64(0), uint64(0)
	for end := time.Now().Add(20 * time.Second); next < total; {
		if time.Now().After(end) {
			t.Fatalf("%d of %d arrive", next, total)
		}
		if sent < total {
			binary.LittleEndian.PutUint64(want, sent)
			if err := pub.Send(want); err == nil {
				sent++
			} else if !errors.Is(err, ring.ErrFull) {
				t.Fatal(err)
			}
		}
		if _, err := sub.Poll(100, func(f seal.Frame) {
			take(t, f, &next)
			if !bytes.Equal(f.Payload[8:], want[8:]) {
				t.Fatalf("message %d is not what was sent", next)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if (packed.Load() > 0) != (how != "none") {
		t.Errorf("%d envelopes were packed", packed.Load())
	}
}
