package xdp

import (
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

// One thread sends a batch and takes it at the other end of a virtual cable.
func BenchmarkBatchOf32(b *testing.B) {
	if err := netlab.Supported(); err != nil {
		b.Skip(err)
	}
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		b.Run(attach.String(), func(b *testing.B) {
			l, err := netlab.New("a", "b")
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := l.Close(); err != nil {
					b.Error(err)
				}
			}()
			open := func(host string, o Options) (d *Device) {
				o.Interface = netlab.Device
				if err := l.In(host, func() (err error) {
					d, err = Open(o)
					return err
				}); err != nil {
					b.Fatal(err)
				}
				return d
			}
			from, to := open("a", Options{}), open("b", Options{Ports: []uint16{port}, Attach: attach})
			mac := [][]byte{from.Interface().HardwareAddr, to.Interface().HardwareAddr}
			packet := datagram(mac[0], mac[1], netip.AddrPortFrom(l.Addr("a"), port), netip.AddrPortFrom(l.Addr("b"), port), make([]byte, 64))
			out, in := make([]Chunk, 32), make([]Chunk, 32)
			b.ReportAllocs()
			for b.Loop() {
				n := from.sockets[0].Claim(out)
				for i := range n {
					out[i].Data = out[i].Data[:copy(out[i].Data, packet)]
				}
				if err := from.sockets[0].Commit(out[:n]); err != nil {
					b.Fatal(err)
				}
				for n > 0 {
					k := to.sockets[0].Peek(in)
					to.sockets[0].Release(k)
					n -= k
				}
			}
			b.ReportMetric(float64(b.N)*32/b.Elapsed().Seconds(), "packets/s")
			for _, d := range []*Device{from, to} {
				if err := d.Close(); err != nil {
					b.Error(err)
				}
			}
		})
	}
}
