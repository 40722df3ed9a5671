package xdp

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

func TestOnlyDatagramsToOurPortsAreTaken(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			d := b.open("b", Options{Ports: []uint16{port - 1, port, port + 1}, Attach: attach})
			near := b.open("a", Options{})
			from := near.Sockets()[0]
			to := d.Sockets()[0]
			four, six := b.datagram("a", "b", false, []byte("over four")), b.datagram("a", "b", true, []byte("over six"))
			edit := func(p []byte, at int, values ...byte) []byte {
				p = bytes.Clone(p)
				copy(p[at:], values)
				return p
			}
			foreign := uint64(0)
			for _, c := range []struct {
				name   string
				packet []byte
				ours   bool
			}{
				{"IPv4", four, true},
				{"IPv6", six, true},
				{"IPv4 of one VLAN", b.datagram("a", "b", false, []byte("tagged"), 5), true},
				{"IPv6 of one VLAN", b.datagram("a", "b", true, []byte("tagged"), 5), true},
				{"an outer tag alone", edit(b.datagram("a", "b", false, []byte("tagged"), 5), 12, 0x88, 0xa8), true},
				{"two VLANs", b.datagram("a", "b", false, []byte("tagged twice"), 5, 6), false},
				{"the port before", edit(four, 36, (port-1)>>8, (port-1)&0xff), true},
				{"the port behind", edit(six, 56, (port+1)>>8, (port+1)&0xff), true},
				{"another port", edit(four, 36, (port+2)>>8, (port+2)&0xff), false},
				{"our port turned around", edit(four, 36, port&0xff, port>>8), false},
				{"another port over IPv6", edit(six, 56, 1, 1), false},
				{"from our port", edit(four, 34, port>>8, port&0xff, 1, 1), false},
				{"TCP", edit(four, 23, 6), false},
				{"TCP over IPv6", edit(six, 20, 6), false},
				{"IPv4 with options", edit(four, 14, 0x46), false},
				{"IPv6 with an extension", edit(six, 20, 0), false},
				{"a first fragment", edit(four, 20, 0x20, 0), false},
				{"a later fragment", edit(four, 20, 0, 1), false},
				{"a fragment of IPv6", edit(six, 20, 44), false},
				{"not to be fragmented", edit(four, 20, 0x40, 0), true},
				{"ARP", edit(four, 12, 8, 6), false},
				{"a length", edit(four, 12, 0, 40), false},
				{"no more than IPv4 and UDP headers", four[:42], true},
				{"a byte less", four[:41], false},
				{"no more than IPv6 and UDP headers", six[:62], true},
				{"a byte less over IPv6", six[:61], false},
				{"only a header", four[:14], false},
			} {
				// What is not taken is told by what comes behind it, since one queue keeps the order.
				end := b.datagram("a", "b", false, []byte("end of "+c.name))
				send(t, from, c.packet, end)
				got := receive(t, to)
				if c.ours != bytes.Equal(got, c.packet) {
					t.Errorf("%s: taken is %v", c.name, !c.ours)
				}
				if !c.ours && !strings.Contains(c.name, "fragment") {
					foreign++
				}
				if !bytes.Equal(got, end) {
					got = receive(t, to)
				}
				if !bytes.Equal(got, end) {
					t.Fatalf("%s: %x comes", c.name, got)
				}
			}
			// The kernels talk to each other, too.
			if p, err := d.Passed(); err != nil || p.Fragments != 3 || p.Foreign < foreign || p.Unserved != 0 {
				t.Errorf("%+v, and not 3 fragments and %d foreign frames: %v", p, foreign, err)
			}
			if p, err := near.Passed(); err != nil || p != (Passed{}) {
				t.Errorf("who only sends lets %+v pass: %v", p, err)
			}
		})
	}
}

// What comes on a queue without a socket is the kernel's, and is counted.
func TestDatagramsOfQueuesWithoutASocketAreCounted(t *testing.T) {
	b := newBed(t, netlab.Options{Queues: 2})
	d := b.open("b", Options{Ports: []uint16{port}, Queues: []int{1}, Attach: AttachGeneric}) // which brings everything on queue 0
	from, kernel := b.listen("a", b.addr4("a")), b.listen("b", b.addr4("b"))
	for i := range 20 {
		one := fmt.Appendf(nil, "unserved %d", i)
		say(t, from, one, b.addr4("b"))
		hear(t, kernel, one)
	}
	if p, err := d.Passed(); err != nil || p.Unserved != 20 {
		t.Errorf("%+v: %v", p, err)
	}
}

func TestTheKernelKeepsItsTrafficBesideOurs(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			// Before: a stream that is open when the program comes, and stays when it goes.
			var server net.Listener
			var client net.Conn
			if err := b.lab.In("b", func() (err error) {
				server, err = net.Listen("tcp", b.addr4("b").String())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if err := b.lab.In("a", func() (err error) {
				client, err = net.DialTimeout("tcp", b.addr4("b").String(), patience)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := server.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			deadline := time.Now().Add(patience)
			if err := conn.SetDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			if err := client.SetDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			d := b.open("b", Options{Ports: []uint16{port}, Attach: attach})
			text := bytes.Repeat([]byte("a stream of the kernel's "), scaled(400_000, 20_000))
			wrong := make(chan error, 2)
			go func() {
				_, err := client.Write(text)
				wrong <- err
			}()
			go func() {
				got := make([]byte, len(text))
				_, err := io.ReadFull(conn, got)
				if err == nil && !bytes.Equal(got, text) {
					err = fmt.Errorf("the stream's %d bytes are others", len(got))
				}
				wrong <- err
			}()
			others := b.listen("b", netipPort(b.addr4("b"), port+1))
			from := b.listen("a", b.addr4("a"))
			for i := range 200 {
				ours, theirs := fmt.Appendf(nil, "ours %d, which the kernel never sees", i), fmt.Appendf(nil, "theirs %d", i)
				say(t, from, ours, b.addr4("b"))
				say(t, from, theirs, netipPort(b.addr4("b"), port+1))
				expect(t, ours, d.Sockets()[0])
				hear(t, others, theirs)
			}
			for range 2 {
				if err := <-wrong; err != nil {
					t.Error(err)
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			late := b.listen("b", b.addr4("b"))
			say(t, from, []byte("after"), b.addr4("b"))
			hear(t, late, []byte("after"))
		})
	}
}

func TestLossOnPurposeIsCountedExactly(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		const percent = 10
		n := scaled(20_000, 2000)
		b := newBed(t, netlab.Options{})
		d := b.open("b", Options{Ports: []uint16{port}, Attach: attach, Loss: percent})
		from, to := b.open("a", Options{}).Sockets()[0], d.Sockets()[0]
		packet := b.datagram("a", "b", false, []byte("some are lost"))
		before := 0
		for sent := 0; sent < n; sent += 100 {
			for range 100 {
				send(t, from, packet)
			}
			before += drain(t, d, to, sent+100-before)
		}
		lost, err := d.Lost()
		if err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(float64(lost) - float64(n)*percent/100); before+int(lost) != n || off > 6*math.Sqrt(float64(n)*0.09) {
			t.Errorf("%s: %d sent, %d arrived, %d lost", attach, n, before, lost)
		}
	}
	b := newBed(t, netlab.Options{})
	d := b.open("b", Options{Ports: []uint16{port}, Loss: 100})
	send(t, b.open("a", Options{}).Sockets()[0], b.datagram("a", "b", false, []byte("all are lost")))
	for deadline := time.Now().Add(patience); ; {
		if lost, err := d.Lost(); err != nil || lost == 1 {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("what is to be lost is not")
		}
	}
}

// drain takes packets until they and all that were lost on purpose are want, and returns how many were taken.
func drain(t *testing.T, d *Device, s *Socket, want int) (taken int) {
	t.Helper()
	batch := make([]Chunk, 64)
	for deadline := time.Now().Add(patience); ; {
		n := s.Peek(batch)
		s.Release(n)
		taken += n
		lost, err := d.Lost()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 && taken+int(lost) >= want {
			return taken
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d, %d arrive and %d are lost", want, taken, lost)
		}
	}
}
