package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/xdp"
)

const (
	senderPort   = 7701
	receiverPort = 7702
)

// lab is two hosts with an Ethernet cable between them.
func lab(t *testing.T) *netlab.Lab {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// hub opens the interface of a host past its kernel.
func hub(t *testing.T, l *netlab.Lab, host string, loss float64, port uint16) (h *xdp.Hub) {
	t.Helper()
	if err := l.In(host, func() (err error) {
		h, err = xdp.OpenHub(xdp.HubOptions{Device: xdp.Options{Interface: netlab.Device, Ports: []uint16{port}, Loss: loss}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", host, h.Mode())
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func endOf(t *testing.T, l *netlab.Lab, h *xdp.Hub, host string, o xdp.EndOptions) (e *xdp.End) {
	t.Helper()
	if err := l.In(host, func() (err error) {
		e, err = h.End(o)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestChannelRunsPastTheKernelAtEitherEnd: a repaired channel over AF_XDP at both ends, or at one with the kernel's UDP at the other, with
// loss within the program, sealed or not: all is delivered, once, in order.
func TestChannelRunsPastTheKernelAtEitherEnd(t *testing.T) {
	for _, near := range []bool{true, false} {
		for _, far := range []bool{true, false} {
			for _, sealed := range []bool{false, true} {
				if !near && !far {
					continue
				}
				t.Run(fmt.Sprintf("sender %t, receiver %t, sealed %t", near, far, sealed), func(t *testing.T) {
					l := lab(t)
					from, to := netip.AddrPortFrom(l.Addr("a"), senderPort), netip.AddrPortFrom(l.Addr("b"), receiverPort)
					dial, listen := udp.Dial{To: to, Bind: from}, udp.Listen{Bind: to}
					if near {
						dial.Medium = endOf(t, l, hub(t, l, "a", 1, senderPort), "a", xdp.EndOptions{Local: from, Peers: []netip.Addr{to.Addr()}})
					}
					if far {
						listen.Medium = endOf(t, l, hub(t, l, "b", 1, receiverPort), "b", xdp.EndOptions{Local: to, Peers: []netip.Addr{from.Addr()}})
					}
					var secret *seal.Secret
					if sealed {
						s := seal.NewSecret()
						secret = &s
					}
					p := &pair{T: t, from: open(t, transport.Config{}), to: open(t, transport.Config{}), rel: udp.Repaired}
					inbox, err := p.to.Inbox("trades")
					if err == nil {
						err = l.In("b", func() (err error) {
							p.recv, err = udp.NewReceiver(udp.ReceiverOptions{Channel: "trades", Lines: []udp.Listen{listen}, Inbox: inbox, Reliability: p.rel, Secret: secret})
							return err
						})
					}
					if err == nil {
						err = l.In("a", func() (err error) {
							p.send, err = udp.NewSender(udp.SenderOptions{Channel: "trades", Lines: []udp.Dial{dial}, Reliability: p.rel, Secret: secret})
							return err
						})
					}
					if err == nil {
						err = p.from.Carry("trades", p.send)
					}
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() {
						if err := errors.Join(p.send.Close(), p.recv.Close()); err != nil {
							t.Error(err)
						}
					})
					pub, sub := publisher(t, p.from, "trades"), subscriber(t, p.to, "trades")
					const total = 5000
					var got []uint64
					take := func(f seal.Frame) {
						n := binary.LittleEndian.Uint64(f.Payload)
						if f.Seq != n || len(f.Payload) != 8+int(n*37%900) {
							t.Fatalf("frame %d says it is %d, of %d bytes", f.Seq, n, len(f.Payload))
						}
						got = append(got, n)
					}
					poll := func() {
						if _, err := sub.Poll(256, take); err != nil {
							t.Fatal(err)
						}
					}
					for n := uint64(1); n <= total; n++ {
						msg := make([]byte, 8+n*37%900)
						binary.LittleEndian.PutUint64(msg, n)
						p.until("room", func() bool { return pub.Send(msg) == nil }, poll)
						if n%16 == 0 {
							p.step()
							poll()
						}
					}
					p.until("delivery", func() bool { return len(got) >= total && p.send.Drained() }, poll)
					if len(got) != total || !slices.IsSorted(got) || got[0] != 1 || got[total-1] != total {
						t.Errorf("%d of %d frames, %d to %d", len(got), total, got[0], got[len(got)-1])
					}
					s, r := p.send.Stats(), p.recv.Stats()
					t.Logf("%d datagrams sent, %d frames again; %d arrived, dropped %v", s.Datagrams, s.Again, r.Datagrams, r.Dropped)
					if far && s.Again == 0 {
						t.Error("the program lost nothing")
					}
				})
			}
		}
	}
}
