package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/xdp/packet"
)

// summing opens a hub on the host whose IPv4 datagrams have a checksum, too, and an end of each family.
func (b *bed) summing(host string, attach Attach, offload bool) (h *Hub, ends map[bool]*End) {
	b.t.Helper()
	if err := b.lab.In(host, func() (err error) {
		h, err = OpenHub(HubOptions{Device: Options{Interface: netlab.Device, Ports: []uint16{port}, Attach: attach}, Checksum: true})
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := h.Close(); err != nil {
			b.t.Error(err)
		}
	})
	if !offload { // as before Linux 6.8
		h.device.mode.Checksums, h.sockets[0].sums = false, false
	}
	if h.Mode().Checksums != offload {
		b.t.Skip("the kernel fills in no checksums: ", h.Mode().Explain())
	}
	ends = map[bool]*End{}
	other := map[string]string{"a": "b", "b": "a"}[host]
	for _, six := range []bool{false, true} {
		e, err := b.ending(h, host, EndOptions{Local: b.end(host, six), Peers: []netip.Addr{b.end(other, six).Addr()}})
		if err != nil {
			b.t.Fatal(err)
		}
		ends[six] = e
	}
	return h, ends
}

// Whoever fills in the checksum, the datagram is the same: a kernel's socket takes it, and so does a device.
func TestChecksumsAreFilledInByWhoeverCan(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		for _, offload := range []bool{true, false} {
			for _, card := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, offload %t, card %t", attach, offload, card), func(t *testing.T) {
					b := newBed(t, netlab.Options{})
					if err := b.lab.Checksums("b", card); err != nil {
						t.Fatal(err)
					}
					h, ends := b.summing("b", attach, offload)
					for _, six := range []bool{false, true} {
						a := b.listen("a", b.end("a", six))
						for _, n := range []int{1, 2, 17, 999, 1000, ends[six].Room()} {
							p := text(n, uint64(n))
							sayAll(t, ends[six], b.end("a", six), string(p))
							hear(t, a, p)
						}
					}
					// What is on the wire: the sum, or where neither we nor the kernel fill it in, that of the pseudo-header.
					to := b.open("a", Options{Ports: []uint16{port}, Attach: attach}).Sockets()[0]
					for _, six := range []bool{false, true} {
						p := text(777, 7)
						sayAll(t, ends[six], b.end("a", six), string(p))
						frame := receive(t, to)
						want := b.datagram("b", "a", six, p)
						at := len(frame) - len(p) - 2
						if offload && card {
							whole := binary.BigEndian.Uint16(want[at:])
							binary.BigEndian.PutUint16(want[at:], sum(sum(uint32(17+8+len(p)), addresses(want, six)), nil))
							if whole == binary.BigEndian.Uint16(want[at:]) {
								t.Fatal("both sums are the same: the test says nothing")
							}
						}
						if got := frame[at : at+2]; string(got) != string(want[at:at+2]) {
							t.Errorf("IPv6 %t: a checksum of %x, not %x", six, got, want[at:at+2])
						}
						var parsed packet.Packet
						if why := (&packet.Parser{Checksum: !offload || !card}).Parse(frame, &parsed); why != packet.Accepted || string(parsed.Payload) != string(p) {
							t.Errorf("IPv6 %t: %s", six, why)
						}
					}
					if st := stats(t, h.sockets[0]); st.SendInvalid != 0 || st.Sent != 14 {
						t.Errorf("%+v", st)
					}
				})
			}
		}
	}
}

func addresses(frame []byte, six bool) []byte {
	if six {
		return frame[22:54]
	}
	return frame[26:34]
}

func TestAChecksumOfSeveralChunksIsFilledIn(t *testing.T) {
	for _, card := range []bool{true, false} {
		b := newBed(t, netlab.Options{MTU: 9000})
		if err := b.lab.Checksums("b", card); err != nil {
			t.Fatal(err)
		}
		d := b.open("b", Options{})
		if !d.Mode().Checksums || !d.Mode().Segments {
			t.Skip(d.Mode().Explain())
		}
		s, a := d.Sockets()[0], b.listen("a", b.addr6("a"))
		for _, n := range []int{100, 4000, 8000, 8950} {
			p := text(n, uint64(n))
			frame := b.datagram("b", "a", true, p)
			binary.BigEndian.PutUint16(frame[60:], sum(sum(uint32(17+8+n), addresses(frame, true)), nil))
			batch := make([]Chunk, maxChunks)
			parts := (len(frame) + int(s.chunk-s.tell) - 1) / int(s.chunk-s.tell)
			if s.Claim(batch[:parts]) < parts {
				t.Fatal("no chunks")
			}
			for i := range parts {
				k := copy(batch[i].Data, frame)
				batch[i].Data, batch[i].More, frame = batch[i].Data[:k], i+1 < parts, frame[k:]
			}
			batch[0].Sum = 54
			if err := s.Commit(batch[:parts]); err != nil {
				t.Fatal(err)
			}
			hear(t, a, p)
		}
	}
}

func TestChecksumsThatCannotBeAreRefusedWhole(t *testing.T) {
	b := newBed(t, netlab.Options{MTU: 9000})
	d := b.open("b", Options{SendChunks: 64})
	s := d.Sockets()[0]
	good := b.datagram("b", "a", false, []byte("good"))
	batch := make([]Chunk, 3)
	for name, spoil := range map[string]func(c []Chunk){
		"within the Ethernet header": func(c []Chunk) { c[1].Sum = 13 },
		"past the end":               func(c []Chunk) { c[1].Sum = uint16(len(good) - 7) },
		"far past the end":           func(c []Chunk) { c[1].Sum = 65535 },
		"of a second chunk":          func(c []Chunk) { c[0].More, c[1].Sum = true, 34 },
		"where nobody fills it in": func(c []Chunk) {
			s.sums = false
			c[1].Sum = 34
		},
	} {
		n := s.Claim(batch)
		for i := range n {
			batch[i].Data = batch[i].Data[:copy(batch[i].Data, good)]
		}
		spoil(batch[:n])
		if err := s.Commit(batch[:n]); !errors.Is(err, ErrPacket) {
			t.Errorf("%s: %v", name, err)
		}
		s.sums = d.Mode().Checksums
	}
	a := b.listen("a", b.addr4("a"))
	for range 200 { // no chunk has been lost, and each comes round
		send(t, s, good)
		hear(t, a, []byte("good"))
	}
	if st := stats(t, s); st.Sent != 200 || st.SendInvalid != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWhyNobodyFillsInChecksums(t *testing.T) {
	untold := errors.New("too old")
	for _, c := range []struct {
		untold   error
		zeroCopy bool
		driver   string
		can      bool
		want     error
	}{
		{nil, false, "veth", false, nil},
		{nil, false, "", false, nil},
		{nil, false, virtio, false, errDeaf},
		{nil, true, virtio, false, errSaysNo},
		{nil, true, "mlx5_core", true, nil},
		{nil, true, "ice", false, errSaysNo},
		{untold, true, "mlx5_core", true, untold},
		{untold, false, "veth", false, untold},
	} {
		if got := unsummed(c.untold, c.zeroCopy, c.driver, sys.DeviceFeatures{Checksums: c.can}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestDatagramsWithAChecksumAllocateNothing(t *testing.T) {
	for _, offload := range []bool{true, false} {
		b := newBed(t, netlab.Options{})
		h, ends := b.summing("b", AttachGeneric, offload)
		for _, six := range []bool{false, true} {
			to := b.end("a", six)
			if n := testing.AllocsPerRun(200, func() {
				for range 8 {
					p := ends[six].Place(to, 64)
					p[0]++
				}
				_, _ = ends[six].Flush()
			}); n != 0 {
				t.Errorf("IPv6 %t, offload %t: %v allocations for eight datagrams", six, offload, n)
			}
		}
		if h.Sent != 2*201*8 {
			t.Errorf("%d sent", h.Sent)
		}
	}
}
