package link

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// flates is a codec for a test; package pack has better ones.
type flates struct{ broken bool }

func (flates) Pack(dst, src []byte) (int, uint8) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	_, _ = w.Write(src)
	if _ = w.Close(); b.Len() > len(dst) || b.Len() >= len(src) {
		return 0, 0
	}
	return copy(dst, b.Bytes()), 9
}

func (c flates) Unpack(dst, src []byte, codec uint8) error {
	if codec != 9 || c.broken {
		return errors.New("no such codec")
	}
	_, err := io.ReadFull(flate.NewReader(bytes.NewReader(src)), dst)
	return err
}

func TestPackedBodiesArriveAsTheyWere(t *testing.T) {
	for _, broken := range []bool{false, true} {
		s := newSinks(t)
		a, b := pair(s, netio.InboxOptions{Capacity: 1 << 18}, Reliable, "ticks")
		for _, o := range []*Options{&a, &b} {
			o.Channels[0].Codecs, o.Channels[0].Codec = []string{"flate"}, flates{broken}
		}
		d := newBed(t, 1, a, b)
		one := newSource(t, ring.Options{Capacity: 1 << 18})
		must(t, d.a.Add("ticks", one.ring))
		d.connect()
		const n = 3000
		d.until("all arrive, or it is refused", func() bool {
			for one.next <= n && one.publish(8+int(one.next%400)) {
			}
			for _, k := range s.all {
				k.drain(500)
			}
			return len(d.errs) > 0 || len(s.all) == 1 && s.all[one.ring.Info().Instance].got == n
		})
		switch st := d.a.Stats(); {
		case broken && (!errors.Is(d.errs[0], ErrProtocol) || !strings.Contains(d.errs[0].Error(), "undecodable") || d.b.Stats().Drops(Undecodable) != 1):
			t.Error(d.errs)
		case !broken && st.BytesOut > uint64(n)*120:
			t.Errorf("%d bytes for %d messages", st.BytesOut, n)
		}
	}
}
