package express

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/xdp"
	"github.com/alphapulse/transport/xdp/packet"
)

// Medium is AF_XDP as a node of a topology uses it, and sockets where it cannot be. The zero Medium is valid.
type Medium struct {
	// Hub is how interfaces are opened. Its Device.Interface goes before what the topology says; where neither names one, it is that of
	// the node's own address. Its Device.Ports are not heeded.
	Hub xdp.HubOptions

	Socket udp.Socket // of every end that falls back
}

// Protocol is "xdp".
func (Medium) Protocol() string { return "xdp" }

// Open opens the medium for a node. Interfaces are opened with the first way by them.
func (m Medium) Open(s netio.Station) (netio.Ways, error) {
	past := func(s netio.Station) udp.Past {
		return &hubs{options: m.Hub, station: s, open: map[string]*xdp.Hub{}, said: map[string]bool{}}
	}
	return udp.Medium{Socket: m.Socket, Past: past}.Open(s)
}

// hubs is a node's, one for each interface.
type hubs struct {
	options xdp.HubOptions
	station netio.Station
	open    map[string]*xdp.Hub // nil: it cannot be
	said    map[string]bool     // why not, by interface or node
}

// Listen opens an end that receives.
func (h *hubs) Listen(far netio.Far, at netip.AddrPort) (netio.Medium, error) {
	return h.end(far, xdp.EndOptions{Local: at})
}

// Dial opens an end that sends.
func (h *hubs) Dial(far netio.Far, to netip.AddrPort) (netio.Medium, error) {
	return h.end(far, xdp.EndOptions{}, to.Addr())
}

// end opens an end on the hub that leads to a node, or says why a socket takes its place.
func (h *hubs) end(far netio.Far, o xdp.EndOptions, peers ...netip.Addr) (netio.Medium, error) {
	name, err := h.named(far)
	if err != nil {
		h.falls(far, name, err)
		return nil, nil
	}
	hub, tried := h.open[name]
	if !tried {
		hub, err = h.start(name)
		if h.open[name] = hub; err != nil {
			h.falls(far, name, err)
		}
	}
	if hub == nil {
		return nil, nil
	}
	if len(peers) > 0 {
		o.Local = netip.AddrPortFrom(unspecified(peers[0]), 0)
	}
	one, err := hub.Join(o)
	if err != nil {
		h.falls(far, name, err)
		return nil, nil
	}
	for _, p := range peers {
		if err := one.Reach(p); errors.Is(err, packet.ErrLocal) || errors.Is(err, packet.ErrUnreachable) {
			h.falls(far, far.Node, fmt.Errorf("%s by way of %s: %w", p, name, err))
			return nil, one.Close()
		}
	}
	return one, nil
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

var errLoopback = errors.New("what goes past the kernel on loopback does not get to its sockets")

// firstPort is the device's until an end has one: without any it would be one that only sends. It is discard's.
const firstPort = 9

// start opens the hub of an interface.
func (h *hubs) start(name string) (*xdp.Hub, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	if i.Flags&net.FlagLoopback != 0 {
		return nil, errLoopback
	}
	o := h.options
	o.Device.Interface, o.Device.Ports = name, []uint16{firstPort}
	return xdp.OpenHub(o)
}

// named is the interface that leads to a node.
func (h *hubs) named(far netio.Far) (string, error) {
	if name := h.options.Device.Interface; name != "" {
		return name, nil
	}
	if far.Interface != "" {
		return far.Interface, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went meanwhile
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == h.station.Bind.Addr() {
				return i.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no interface has the address %s: name one", h.station.Bind.Addr())
}

// falls tells once why ends have sockets.
func (h *hubs) falls(far netio.Far, what string, err error) {
	if h.said[what] {
		return
	}
	h.said[what] = true
	if h.station.Notes != nil {
		h.station.Notes(netio.Note{Medium: "xdp", Node: far.Node, What: "fallback", Err: fmt.Errorf("with a socket, not by AF_XDP: %w", err)})
	}
}

// Close closes the hubs.
func (h *hubs) Close() error {
	var faults []error
	for _, hub := range h.open {
		if hub != nil {
			faults = append(faults, hub.Close())
		}
	}
	return errors.Join(faults...)
}
