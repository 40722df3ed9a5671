package xdp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/xdp/packet"
)

// Frames that are damaged at every layer come between good ones. Each is dealt to an end, refused with its reason or passed to the kernel,
// and the good ones arrive as they were sent.
func TestAHubCountsWhateverComes(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			h, ends := b.summing("b", attach, false)
			raw := b.open("a", Options{}).Sockets()[0]
			seed := rand.Uint64()
			rng := rand.New(rand.NewPCG(seed, 0))
			sent, good := 0, 0
			got := map[bool]int{}
			number := func(f []byte) []byte {
				return binary.BigEndian.AppendUint32(append([]byte{}, f...), uint32(good))
			}
			look := func() {
				for _, six := range []bool{false, true} {
					n, err := ends[six].Receive()
					if err != nil {
						t.Fatal(err)
					}
					for i := range n {
						if data, from := ends[six].Datagram(i); string(data[:min(4, len(data))]) == "good" {
							if k := int(binary.BigEndian.Uint32(data[4:])); len(data) != 8 || k != good || from != b.end("a", six) {
								t.Fatalf("seed %d: good %d comes as %x from %s", seed, good, data, from)
							}
							got[six]++
						}
					}
				}
			}
			for range scaled(4000, 200) {
				six := rng.IntN(2) == 0
				for range 16 {
					var tags []uint16
					if rng.IntN(4) == 0 {
						tags = []uint16{uint16(rng.IntN(4096))}
					}
					f := b.datagram("a", "b", six, text(rng.IntN(1400), uint64(sent)), tags...)
					for range 1 + rng.IntN(4) {
						f[12+rng.IntN(min(60, len(f)-12))] = byte(rng.Uint32())
					}
					if rng.IntN(3) == 0 {
						f = f[:14+rng.IntN(len(f)-13)]
					}
					send(t, raw, f)
					sent++
				}
				good++
				send(t, raw, b.datagram("a", "b", six, number([]byte("good"))))
				sent++
				want := got[six] + 1
				for end := time.Now().Add(patience); got[six] < want; look() {
					if time.Now().After(end) {
						t.Fatalf("seed %d: good %d does not come: %+v", seed, good, h.Stats())
					}
				}
			}
			s, k := h.Stats(), stats(t, h.sockets[0])
			refused := uint64(0)
			for _, n := range s.Refused {
				refused += n
			}
			passed, err := ends[true].Hub().Passed()
			if err != nil {
				t.Fatal(err)
			}
			if all, err := h.Queues(); err != nil || len(all) != 1 || all[0] != k {
				t.Errorf("%+v: %v", all, err)
			}
			if k.Received != s.Received+s.Nobody+s.Overrun+refused || k.Dropped+k.RingFull+k.Invalid != 0 {
				t.Errorf("seed %d: the kernel gave %+v, the hub took %+v", seed, k, s)
			}
			if all := k.Received + passed.Foreign + passed.Fragments; all < uint64(sent) {
				t.Errorf("seed %d: %d of %d frames are accounted for", seed, all, sent)
			}
			for _, why := range []packet.Reason{packet.LengthLies, packet.BadIPv4Checksum} {
				if s.Refused[why] == 0 {
					t.Errorf("seed %d: the storm says little: no %s", seed, why)
				}
			}
			if s.Nobody == 0 || passed.Fragments == 0 {
				t.Errorf("seed %d: the storm says little: %+v, %+v", seed, s, passed)
			}
			t.Logf("%d frames: %+v, %+v", sent, s, passed)
		})
	}
}

// Who comes second is refused, and whoever was there goes on.
func TestTwoHubsDoNotShareAnInterface(t *testing.T) {
	b := newBed(t, netlab.Options{})
	h, a := b.station("b", port), b.listen("a", b.addr4("a"))
	e := b.endAt(h, "b", port, b.lab.Addr("a"))
	for range 3 {
		for _, o := range []Options{{Ports: []uint16{port}}, {Ports: []uint16{port + 1}}, {Ports: []uint16{port + 1}, Attach: AttachNative}, {}} {
			o.Interface = netlab.Device
			err := b.lab.In("b", func() error {
				second, err := OpenHub(HubOptions{Device: o})
				if err == nil {
					err = errors.Join(errors.New("a second hub opens"), second.Close())
				}
				return err
			})
			if want := ErrForeign; len(o.Ports) > 0 && !errors.Is(err, want) || len(o.Ports) == 0 && !errors.Is(err, ErrTaken) {
				t.Errorf("%+v: %v", o, err)
			}
		}
		say(t, a, []byte("still here"), b.addr4("b"))
		heardBy(t, e, 1)
		sayAll(t, e, b.addr4("a"), "and here")
		hear(t, a, []byte("and here"))
	}
}

func TestHubsAndEndsLeaveNothing(t *testing.T) {
	b := newBed(t, netlab.Options{})
	group := netip.MustParseAddr("239.1.2.3")
	cycle := func() {
		t.Helper()
		if err := b.lab.In("b", func() error {
			h, err := OpenHub(HubOptions{Device: Options{Interface: netlab.Device, Ports: []uint16{port, port + 1}}})
			if err != nil {
				return err
			}
			for i := range 2 {
				if _, err := h.End(EndOptions{Local: netipPort(b.addr4("b"), port+uint16(i)), Groups: []netip.Addr{group}, Peers: []netip.Addr{b.lab.Addr("a")}}); err != nil {
					return errors.Join(err, h.Close())
				}
			}
			if _, err := h.End(EndOptions{Local: netipPort(b.addr4("b"), port)}); !errors.Is(err, ErrEnd) {
				return errors.Join(errors.New("an end twice"), err, h.Close())
			}
			return h.Close()
		}); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	before := holdings(t)
	for range scaled(300, 20) {
		cycle()
	}
	for deadline := time.Now().Add(patience); holdings(t) != before; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%+v before, %+v after", before, holdings(t))
		}
	}
}
