package bench

import (
	"errors"
	"net/netip"

	"github.com/alphapulse/transport/xdp"
)

// Lanes past the kernel are those through package udp with AF_XDP in place of sockets. Both ends of a side are one hub's.
const (
	pastGeneric = "generic"
	pastNative  = "native"

	pastIn  = 7801 // port of a side's receiver
	pastOut = 7802 // and of its sender
)

// past opens the interface of a side past its kernel, where the lane goes that way.
func (s *laneSpec) past(at site) error {
	if s.Past == "" {
		return nil
	}
	attach := xdp.AttachGeneric
	if s.Past == pastNative {
		attach = xdp.AttachNative
	}
	return at.in(func() (err error) {
		s.hub, err = xdp.OpenHub(xdp.HubOptions{Device: xdp.Options{Interface: s.Net.Device, Ports: []uint16{pastIn, pastOut}, Queues: []int{0}, Attach: attach}})
		return err
	})
}

// endOf opens an end of the side's hub.
func (s laneSpec) endOf(at site, port uint16, peer netip.AddrPort) (e *xdp.End, err error) {
	o := xdp.EndOptions{Local: netip.AddrPortFrom(at.Addr, port)}
	if peer.IsValid() {
		o.Peers = []netip.Addr{peer.Addr()}
	}
	err = at.in(func() (err error) {
		e, err = s.hub.End(o)
		return err
	})
	return e, err
}

// leave closes the side's hub, and after it err is what was wrong before.
func (s laneSpec) leave(err error) error {
	if s.hub == nil {
		return err
	}
	return errors.Join(err, s.hub.Close())
}
