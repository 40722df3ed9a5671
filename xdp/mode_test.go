package xdp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

func TestEveryModeCarriesBothWaysAndSaysWhatItIs(t *testing.T) {
	b := newBed(t, netlab.Options{})
	a := b.listen("a", b.addr4("a"))
	a6 := b.listen("a", b.addr6("a"))
	for _, c := range []struct {
		attach  Attach
		copying Copying
		want    Attach
		why     string // of a wish that is not met
	}{
		{AttachGeneric, Copy, AttachGeneric, ""},
		{AttachGeneric, CopyAuto, AttachGeneric, "zero-copy"},
		{AttachNative, Copy, AttachNative, ""},
		{AttachNative, CopyAuto, AttachNative, "zero-copy"},
		{AttachAuto, CopyAuto, AttachNative, "zero-copy"},
		{AttachAuto, Copy, AttachNative, ""},
	} {
		t.Run(fmt.Sprint(c.attach, c.copying), func(t *testing.T) {
			b := &bed{t, b.lab}
			d := b.open("b", Options{Ports: []uint16{port}, Attach: c.attach, Copying: c.copying})
			m := d.Mode()
			if m.Attach != c.want || m.ZeroCopy || m.Segments || m.ChunkSize != 2048 || m.Queues != 1 {
				t.Errorf("%+v", m)
			}
			if older := slices.DeleteFunc(slices.Clone(m.Why), func(r Reason) bool { return r.Wish == "checksum offload" }); len(older) == len(m.Why) != m.Checksums {
				t.Errorf("%s", m.Explain())
			} else {
				m.Why = older
			}
			if c.why != "" != (len(m.Why) == 1) || len(m.Why) > 0 && m.Why[0].Wish != c.why {
				t.Errorf("reasons: %v", m.Why)
			}
			if len(m.Why) > 0 && !strings.Contains(m.Explain(), "\nnot "+c.why+": ") {
				t.Errorf("%q", m.Explain())
			}
			s := d.Sockets()[0]
			for i := range 5 {
				in, out := fmt.Appendf(nil, "to b, %d, in a datagram of its own", i), fmt.Appendf(nil, "to a, %d", i)
				say(t, a, in, b.addr4("b"))
				expect(t, in, s)
				say(t, a6, in, b.addr6("b"))
				expect(t, in, s)
				send(t, s, b.datagram("b", "a", false, out), b.datagram("b", "a", true, out))
				hear(t, a, out)
				hear(t, a6, out)
			}
			if st := stats(t, s); st.Received != 10 || st.Sent != 10 || st.Dropped+st.RingFull+st.Invalid+st.SendInvalid != 0 {
				t.Errorf("%+v", st)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, attach := range []Attach{AttachNative, AttachAuto} {
		_, err := b.try("b", Options{Ports: []uint16{port}, Attach: attach, Copying: ZeroCopy})
		if !errors.Is(err, ErrMode) {
			t.Errorf("zero-copy of a cable without a card: %v", err)
		}
	}
	// What was refused has left nothing behind.
	b.open("b", Options{Ports: []uint16{port}, Copying: Copy})
}
