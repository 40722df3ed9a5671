package xdp

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

// taken is what steer says, in the obvious way.
func taken(p []byte, ports []uint16) bool {
	be := binary.BigEndian
	at := 14
	if len(p) < at {
		return false
	}
	kind := be.Uint16(p[12:])
	if kind == 0x8100 || kind == 0x88a8 {
		if at += 4; len(p) < at {
			return false
		}
		kind = be.Uint16(p[16:])
	}
	ip := p[at:]
	switch {
	case kind == 0x0800 && len(ip) >= 28:
		whole := be.Uint16(ip[6:])&0x3fff == 0
		return ip[0] == 0x45 && whole && ip[9] == 17 && slices.Contains(ports, be.Uint16(ip[22:]))
	case kind == 0x86dd && len(ip) >= 48:
		return ip[6] == 17 && slices.Contains(ports, be.Uint16(ip[42:]))
	}
	return false
}

func TestProgramAgreesWithItsTwin(t *testing.T) {
	b := newBed(t, netlab.Options{})
	ports := []uint16{port, 1, 0x8100, 65535}
	d := b.open("b", Options{Ports: ports, Attach: AttachGeneric})
	const redirect = 4 // with a socket in the map; the kernel tries programs on queue 0
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var seeds [][]byte
	for _, six := range []bool{false, true} {
		for _, tags := range [][]uint16{nil, {5}, {5, 6}} {
			seeds = append(seeds, b.datagram("a", "b", six, text(40, 1), tags...))
		}
	}
	telling := []byte{0, 1, 6, 17, 0x20, 0x40, 0x45, 0x46, 0x08, 0x81, 0x86, 0xdd, 0x88, 0xa8, 0xff, port >> 8, port & 0xff}
	ours := 0
	n := scaled(100_000, 5000)
	for i := range n {
		p := slices.Clone(seeds[rng.IntN(len(seeds))])
		for range rng.IntN(3) {
			p[12+rng.IntN(min(56, len(p)-12))] = telling[rng.IntN(len(telling))]
		}
		if rng.IntN(4) == 0 {
			p = p[:14+rng.IntN(len(p)-13)]
		}
		verdict, _, err := d.program.loaded.Test(p)
		if err != nil {
			t.Fatal(err)
		}
		want := taken(p, ports)
		if want != (verdict == redirect) || !want && verdict != verdictPass {
			t.Fatalf("seed %d, packet %d: verdict %d, ours is %v: %x", seed, i, verdict, want, p)
		}
		if want {
			ours++
		}
	}
	if ours < n/10 || ours > n*9/10 {
		t.Errorf("seed %d: %d of %d are ours: the storm says little", seed, ours, n)
	}
}
