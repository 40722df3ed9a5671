package xdp_test

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/xdp"
)

// An echo: what comes to port 7000 goes back, headers and all. A real one turns the addresses around.
func Example() {
	d, err := xdp.Open(xdp.Options{Interface: "lo", Ports: []uint16{7000, 7000, 0}, Attach: xdp.AttachGeneric, Copying: xdp.ZeroCopy})
	if errors.Is(err, xdp.ErrOptions) {
		fmt.Println("mend the options first")
		return
	}
	var m xdp.Mode = d.Mode()
	for _, why := range m.Why {
		fmt.Println(why.Wish, why.Err)
	}
	var s *xdp.Socket = d.Sockets()[0]
	in, out := make([]xdp.Chunk, 64), make([]xdp.Chunk, 64)
	n := s.Peek(in)
	m2 := s.Claim(out[:n])
	for i := range m2 {
		out[i].Data = out[i].Data[:copy(out[i].Data, in[i].Data)]
	}
	if err := s.Commit(out[:m2]); err != nil {
		fmt.Println(err)
	}
	s.Release(n)
	var counters xdp.Stats
	counters, err = s.Stats()
	fmt.Println(counters, err)
	var passed xdp.Passed
	passed, err = d.Passed()
	fmt.Println(passed.Foreign, passed.Fragments, passed.Unserved, err)
	// Output: mend the options first
}

// A machine without the interface, or a system without AF_XDP, is an error, not an Ability.
func ExampleProbe() {
	var a xdp.Ability
	a, err := xdp.Probe("none0")
	if err != nil {
		fmt.Println("no such interface")
		return
	}
	fmt.Println(a.Explain())
	// Output: no such interface
}
