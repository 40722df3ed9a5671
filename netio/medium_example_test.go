package netio_test

import (
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/netio"
)

// mirrorGlass is a medium that brings back what it is given.
type mirrorGlass struct {
	at           netip.AddrPort
	placed, back [][]byte
}

func (m *mirrorGlass) Spare() int { return 8 - len(m.placed) }

func (m *mirrorGlass) Place(_ netip.AddrPort, n int) []byte {
	if m.Spare() == 0 {
		return nil
	}
	m.placed = append(m.placed, make([]byte, n))
	return m.placed[len(m.placed)-1]
}

func (m *mirrorGlass) Flush() (int, error) {
	m.back, m.placed = append(m.back, m.placed...), nil
	return 0, nil
}

func (m *mirrorGlass) Refused() (int, error)                   { return 0, nil }
func (m *mirrorGlass) Receive() (int, error)                   { return len(m.back), nil }
func (m *mirrorGlass) Datagram(i int) ([]byte, netip.AddrPort) { return m.back[i], m.at }
func (m *mirrorGlass) Room() int                               { return 1472 }
func (m *mirrorGlass) Local() netip.AddrPort                   { return m.at }
func (m *mirrorGlass) Close() error                            { return nil }

// A duty cycle over a medium. Ends of package udp do this when a line names one.
func ExampleMedium() {
	var m netio.Medium = &mirrorGlass{at: netip.MustParseAddrPort("10.0.0.1:7700")}
	for _, text := range []string{"one", "two"} {
		copy(m.Place(m.Local(), len(text)), text)
	}
	waiting, _ := m.Flush()
	n, _ := m.Receive()
	for i := range n {
		data, from := m.Datagram(i)
		fmt.Println(string(data), from)
	}
	fmt.Println(waiting, "wait")
	// Output:
	// one 10.0.0.1:7700
	// two 10.0.0.1:7700
	// 0 wait
}
