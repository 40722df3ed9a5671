package xdp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

const (
	patience = 10 * time.Second
	port     = 7700
)

// scaled divides a count by PULSE_SCALE, but leaves at least least.
func scaled(n, least int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, least)
	}
	return n
}

// bed is two hosts joined by a cable: devices of this package or the kernel's sockets at either end.
type bed struct {
	t   *testing.T
	lab *netlab.Lab
}

func newBed(t *testing.T, o netlab.Options) *bed {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	o.Hosts = []string{"a", "b"}
	l, err := netlab.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bed{t, l}
}

// try opens a device of the host.
func (b *bed) try(host string, o Options) (d *Device, err error) {
	b.t.Helper()
	o.Interface = netlab.Device
	err = b.lab.In(host, func() (err error) {
		d, err = Open(o)
		return err
	})
	if err == nil {
		b.t.Cleanup(func() {
			if err := d.Close(); err != nil {
				b.t.Error(err)
			}
		})
	}
	return d, err
}

func (b *bed) open(host string, o Options) *Device {
	b.t.Helper()
	d, err := b.try(host, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// listen is a kernel's socket of the host.
func (b *bed) listen(host string, at netip.AddrPort) (c *net.UDPConn) {
	b.t.Helper()
	if err := b.lab.In(host, func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bed) addr4(host string) netip.AddrPort { return netip.AddrPortFrom(b.lab.Addr(host), port) }
func (b *bed) addr6(host string) netip.AddrPort { return netip.AddrPortFrom(b.lab.Addr6(host), port) }

func netipPort(a netip.AddrPort, p uint16) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), p) }

func (b *bed) ethernet(host string) (mac net.HardwareAddr) {
	b.t.Helper()
	if err := b.lab.In(host, func() error {
		i, err := net.InterfaceByName(netlab.Device)
		if err == nil {
			mac = i.HardwareAddr
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return mac
}

// datagram is a packet from one host to another, as it is on the wire. tags are VLAN tags.
func (b *bed) datagram(from, to string, six bool, payload []byte, tags ...uint16) []byte {
	b.t.Helper()
	return datagram(b.ethernet(from), b.ethernet(to), b.end(from, six), b.end(to, six), payload, tags...)
}

func (b *bed) end(host string, six bool) netip.AddrPort {
	if six {
		return b.addr6(host)
	}
	return b.addr4(host)
}

func datagram(fromMAC, toMAC net.HardwareAddr, from, to netip.AddrPort, payload []byte, tags ...uint16) []byte {
	be := binary.BigEndian
	p := append(append([]byte{}, toMAC...), fromMAC...)
	for _, tag := range tags {
		p = be.AppendUint16(be.AppendUint16(p, 0x8100), tag)
	}
	length := uint16(8 + len(payload))
	if from.Addr().Is4() {
		p = be.AppendUint16(p, 0x0800)
		ip := []byte{0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 17, 0, 0}
		be.PutUint16(ip[2:], 20+length)
		ip = append(append(ip, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		be.PutUint16(ip[10:], ^sum(uint16(0), ip))
		p = append(p, ip...)
	} else {
		p = be.AppendUint16(p, 0x86dd)
		p = append(p, 0x60, 0, 0, 0)
		p = append(be.AppendUint16(p, length), 17, 64)
		p = append(append(p, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	}
	udp := be.AppendUint16(be.AppendUint16(nil, from.Port()), to.Port())
	udp = be.AppendUint16(be.AppendUint16(udp, length), 0)
	udp = append(udp, payload...)
	pseudo := append(append([]byte{}, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	check := ^sum(sum(uint32(length)+17, pseudo), udp)
	if check == 0 {
		check = 0xffff
	}
	be.PutUint16(udp[6:], check)
	return append(p, udp...)
}

// sum is the ones' complement sum of b's 16-bit words and start.
func sum[T uint16 | uint32](start T, b []byte) uint16 {
	n := uint32(start)
	for i := 0; i+1 < len(b); i += 2 {
		n += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		n += uint32(b[len(b)-1]) << 8
	}
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

// payload is what follows the headers of a packet without VLAN tags.
func payload(packet []byte) []byte {
	if len(packet) < 62 {
		return packet[min(42, len(packet)):]
	}
	if binary.BigEndian.Uint16(packet[12:]) == 0x86dd {
		return packet[62:]
	}
	return packet[42:]
}

// send sends packets, each in as many chunks as it takes, and lets the kernel have them all.
func send(t *testing.T, s *Socket, packets ...[]byte) {
	t.Helper()
	deadline := time.Now().Add(patience)
	batch := make([]Chunk, maxChunks)
	for _, p := range packets {
		room := int(s.chunk - s.tell)
		want := (len(p) + room - 1) / room
		for s.Claim(batch[:want]) < want {
			if err := s.Flush(); err != nil || time.Now().After(deadline) {
				t.Fatalf("no chunk to send with: %v; %+v", err, stats(t, s))
			}
		}
		for i := range want {
			batch[i].Data = batch[i].Data[:copy(batch[i].Data, p)]
			batch[i].More = i+1 < want
			p = p[len(batch[i].Data):]
		}
		if err := s.Commit(batch[:want]); err != nil {
			t.Fatal(err)
		}
	}
}

// receive waits for the next packet, whatever the number of chunks.
func receive(t *testing.T, sockets ...*Socket) []byte {
	t.Helper()
	p, err := arrival(patience, sockets...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func arrival(within time.Duration, sockets ...*Socket) (packet []byte, err error) {
	batch := make([]Chunk, maxChunks)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		for _, s := range sockets {
			for n := s.Peek(batch[:1]); n > 0; n = s.Peek(batch[:1]) {
				packet = append(packet, batch[0].Data...)
				more := batch[0].More
				s.Release(1)
				if !more {
					return packet, nil
				}
			}
		}
		if err := sockets[0].Wait(time.Millisecond, false); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no packet in %v", within)
}

// expect waits for a datagram of that payload; others before it are a failure.
func expect(t *testing.T, want []byte, sockets ...*Socket) {
	t.Helper()
	if got := payload(receive(t, sockets...)); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes %.40q come, not %d bytes %.40q", len(got), got, len(want), want)
	}
}

// hear waits for a datagram at a kernel's socket.
func hear(t *testing.T, c *net.UDPConn, want []byte) {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("%.40q does not come: %v", want, err)
	}
	if !bytes.Equal(buf[:n], want) {
		t.Fatalf("%d bytes %.40q come, not %d bytes %.40q", n, buf[:n], len(want), want)
	}
}

func say(t *testing.T, c *net.UDPConn, text []byte, to netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort(text, to); err != nil {
		t.Fatal(err)
	}
}

func stats(t *testing.T, s *Socket) Stats {
	t.Helper()
	st, err := s.Stats()
	if err != nil {
		t.Error(err)
	}
	return st
}
