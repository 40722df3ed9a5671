package xdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/xdp/packet"
)

const (
	inboxBytes = 256 << 10 // of an end that does not look for news
	inboxMost  = 1024      // datagrams of it
	mostWays   = 256       // peers whose headers are kept
)

// ErrEnd says that an end is wrong; the text lists all faults. The caller mends them.
var ErrEnd = errors.New("xdp: end")

// EndOptions say who an end is.
type EndOptions struct {
	Local  netip.AddrPort // own address, one of the interface's, and port, one of the device's
	Groups []netip.Addr   // multicast groups that it joins
	Peers  []netip.Addr   // whose ways are looked up at once; the others' when they are first sent to
}

// End is an address and a port on a Hub: a netio.Medium for one line of a sender or a receiver. It belongs to the hub's goroutine. The
// zero End is not valid: use Hub.End.
type End struct {
	hub     *Hub
	local   netip.AddrPort
	groups  []netip.Addr
	holder  *sys.UDP // has the port and the groups with the kernel; nothing is received there
	lent    []parcel
	inbox   [2]inbox // one lent, one filled
	filled  int
	ways    map[netip.AddrPort]*way
	last    netip.AddrPort
	lastWay *way
	size    int // of headers
	scratch []byte
	refused int
	why     error
	closed  bool
	alone   bool // the hub is its own
}

var _ netio.Medium = (*End)(nil)

// parcel is a datagram.
type parcel struct {
	data []byte
	from netip.AddrPort
}

// inbox keeps datagrams of an end while another one looks for news.
type inbox struct {
	all  []parcel
	room []byte
	used int
}

// way is the headers of what goes to one peer.
type way struct {
	target   *packet.Target
	changes  uint64
	template packet.Template
	sum      uint16 // of each of its chunks
	err      error  // why there is none
	most     int    // bytes of a datagram that it takes
	large    error  // what is wrong with larger ones
}

// End opens an end. The kernel's socket of that address and port is taken, too, so that nobody else has it.
func (h *Hub) End(o EndOptions) (*End, error) {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(!o.Local.IsValid() || o.Local.Addr().IsUnspecified() || o.Local.Addr().IsMulticast(), "%s is no address of a host", o.Local)
	fault(!slices.Contains(h.options.Device.Ports, o.Local.Port()), "port %d is none of the device's %d", o.Local.Port(), h.options.Device.Ports)
	for _, g := range o.Groups {
		fault(!g.IsMulticast(), "%s is no multicast group", g)
	}
	for _, e := range h.ends {
		fault(e.local == o.Local, "%s is another end's", o.Local)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrEnd, h.options.Device.Interface, err)
	}
	e := &End{hub: h, local: o.Local, groups: slices.Clone(o.Groups), ways: map[netip.AddrPort]*way{},
		lent: make([]parcel, 0, hubChunks*len(h.sockets)), scratch: make([]byte, hubSpill/2), size: packet.EthernetSize + packet.IPv4Size + packet.UDPSize}
	if o.Local.Addr().Is6() {
		e.size = packet.EthernetSize + packet.IPv6Size + packet.UDPSize
	}
	for i := range e.inbox {
		e.inbox[i] = inbox{all: make([]parcel, 0, inboxMost), room: make([]byte, inboxBytes)}
	}
	if err := e.hold(); err != nil {
		return nil, fmt.Errorf("xdp: %s on %s: %w", o.Local, h.options.Device.Interface, err)
	}
	h.ends = append(h.ends, e)
	h.home()
	for _, p := range o.Peers {
		// Whether it answers in time or not, it is followed from now on.
		if _, err := h.resolver.Resolve(p, wayFirst); err != nil && !passes(err) {
			return nil, errors.Join(fmt.Errorf("xdp: way to %s: %w", p, err), e.Close())
		}
	}
	return e, nil
}

// Join opens an end as End does, and makes the device's ports those of the hub's ends, this one's among them. What Local lacks is filled in as
// Single does.
func (h *Hub) Join(o EndOptions) (_ *End, err error) {
	if o.Local, err = settled(h.options.Device.Interface, o); err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrEnd, h.options.Device.Interface, err)
	}
	ports := []uint16{o.Local.Port()}
	for _, e := range h.ends {
		if !slices.Contains(ports, e.local.Port()) {
			ports = append(ports, e.local.Port())
		}
	}
	if err := h.SetPorts(ports); err != nil {
		return nil, err
	}
	return h.End(o)
}

// passes reports whether there may be a way later.
func passes(err error) bool {
	for _, one := range []error{packet.ErrPending, packet.ErrSilent, packet.ErrUnreachable, packet.ErrDown, packet.ErrLocal} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// hold takes the port and joins the groups, as far as that is the kernel's to know.
func (e *End) hold() (err error) {
	if e.holder, err = sys.OpenUDP(sys.UDPOptions{Bind: e.local, RecvBuffer: 1}); err != nil {
		return err
	}
	for _, g := range e.groups {
		if err := e.holder.Join(g, netip.Addr{}, e.hub.options.Device.Interface); err != nil {
			return errors.Join(err, e.holder.Close())
		}
	}
	return nil
}

// Spare is how many datagrams Place has room for.
func (e *End) Spare() int { return e.hub.spare() }

// Place lends n bytes for a datagram to an address. Where there is no way to it, they lead nowhere, and Refused tells.
func (e *End) Place(to netip.AddrPort, n int) []byte {
	h := e.hub
	if n < 1 || n > len(e.scratch) || e.closed {
		return nil
	}
	w := e.wayTo(to)
	why := w.err
	if why == nil && n > w.most { // the path has become smaller since Room was asked
		why = w.large
	}
	if why != nil {
		e.refused++
		e.why = why
		return e.scratch[:n]
	}
	if h.spare() <= 0 {
		return nil
	}
	c := &h.out[h.placed]
	c.Data = c.Data[:e.size+n]
	h.ways[h.placed] = w
	h.placed++
	return c.Data[e.size:]
}

// later is the way to a peer who is new while the kernel has not answered another question.
var later = way{err: packet.ErrPending}

// wayTo finds the headers for a peer, as they are known.
func (e *End) wayTo(to netip.AddrPort) *way {
	w := e.lastWay
	if w == nil || e.last != to {
		if w = e.ways[to]; w == nil {
			if !e.hub.here() {
				return &later
			}
			w = e.follow(to)
		}
		e.last, e.lastWay = to, w
	}
	if w.target != nil && !e.hub.away && w.changes != w.target.Changes() {
		e.renew(w, to)
	}
	return w
}

// follow begins to follow the way to a peer. It is the one place where an end allocates after it was opened.
func (e *End) follow(to netip.AddrPort) *way {
	if len(e.ways) == mostWays { // peers come and go, and some may be made up
		for one, w := range e.ways {
			if w.target != nil {
				e.hub.resolver.Forget(one.Addr())
			}
			delete(e.ways, one)
		}
	}
	w := &way{}
	e.ways[to] = w
	if w.target, w.err = e.hub.resolver.Follow(to.Addr(), time.Now()); w.err == nil {
		e.renew(w, to)
	}
	return w
}

// renew makes headers of the way as it is now.
func (e *End) renew(w *way, to netip.AddrPort) {
	w.changes = w.target.Changes()
	at, err := w.target.Way()
	if err != nil {
		w.err = fmt.Errorf("to %s: %w", to, err)
		return
	}
	w.template, w.err = packet.NewTemplate(packet.Flow{NextHop: at.NextHop, SourceMAC: at.SourceMAC, Source: e.local, Destination: to,
		TTL: e.hub.options.TTL, DSCP: e.hub.options.DSCP, Checksum: e.hub.options.Checksum, Offload: e.hub.device.mode.Checksums})
	w.sum = uint16(w.template.Offloads())
	w.most = e.fits(at.MTU)
	w.large = fmt.Errorf("to %s: %w: it takes %d bytes", to, sys.ErrTooBig, w.most)
}

// Reach is why nothing gets to an address now; nil: something does, or it is being found out.
func (e *End) Reach(to netip.Addr) error {
	e.hub.home()
	t, err := e.hub.resolver.Follow(to, time.Now())
	if err != nil {
		return err
	}
	if _, err = t.Way(); errors.Is(err, packet.ErrPending) {
		return nil
	}
	return err
}

// Flush sends what all ends of the hub placed.
func (e *End) Flush() (waiting int, err error) {
	waiting, err = e.hub.flush()
	if err != nil && errors.Is(err, ErrDown) {
		e.why, err = err, nil // it waits in the send ring until the interface is up
	}
	return waiting, err
}

// Refused says how many datagrams had no way, and what is wrong.
func (e *End) Refused() (n int, why error) {
	n, why = e.refused, e.why
	e.refused, e.why = 0, nil
	return n, why
}

// Receive takes what has arrived. What the last Receive lent is given back.
func (e *End) Receive() (int, error) {
	e.lent = e.lent[:0]
	if e.hub.lent == e {
		e.hub.giveBack()
	}
	if b := &e.inbox[e.filled]; len(b.all) > 0 {
		e.lent = append(e.lent, b.all[:min(len(b.all), cap(e.lent))]...)
		e.filled = 1 - e.filled
		next := &e.inbox[e.filled]
		next.all, next.used = next.all[:0], 0
		return len(e.lent), nil
	}
	err := e.hub.pull(e)
	return len(e.lent), err
}

// keep copies a datagram for an end that does not look now. It reports false when there is no room.
func (e *End) keep(data []byte, from netip.AddrPort) bool {
	b := &e.inbox[e.filled]
	if len(b.all) == min(cap(b.all), cap(e.lent)) || b.used+len(data) > len(b.room) {
		return false
	}
	room := b.room[b.used : b.used+copy(b.room[b.used:], data)]
	b.used += len(room)
	b.all = append(b.all, parcel{room, from})
	return true
}

// Datagram lends datagram i of the last Receive.
func (e *End) Datagram(i int) (data []byte, from netip.AddrPort) {
	return e.lent[i].data, e.lent[i].from
}

// Room is what a packet of the interface's MTU, as it is now, in one chunk, has for a datagram. The path to a peer may have less: then
// larger ones are Refused.
func (e *End) Room() int { return e.fits(e.hub.mtu) }

// fits is the most bytes of a datagram in one chunk and a packet of that size.
func (e *End) fits(mtu int) int {
	chunk := e.hub.device.options.ChunkSize - int(e.hub.sockets[0].tell)
	return min(mtu+packet.EthernetSize, chunk) - e.size
}

// Local is the own address.
func (e *End) Local() netip.AddrPort { return e.local }

// Close gives the port back. The hub goes on.
func (e *End) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	if e.hub.lent == e {
		e.hub.giveBack()
	}
	e.hub.memo = memo{}
	e.hub.ends = slices.DeleteFunc(e.hub.ends, func(one *End) bool { return one == e })
	err := e.holder.Close()
	if e.alone {
		err = errors.Join(err, e.hub.Close())
	}
	return err
}

// Single opens a hub for one end, which closes it. A Local without an address gets the interface's first of the family of the first of
// Peers, IPv4 without any; one without a port gets a free one.
func Single(o HubOptions, e EndOptions) (*End, error) {
	var err error
	if e.Local, err = settled(o.Device.Interface, e); err != nil {
		return nil, fmt.Errorf("%w on %s: %w", ErrEnd, o.Device.Interface, err)
	}
	o.Device.Ports = []uint16{e.Local.Port()}
	h, err := OpenHub(o)
	if err != nil {
		return nil, err
	}
	one, err := h.End(e)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	one.alone = true
	return one, nil
}

// settled fills in what Local lacks.
func settled(name string, o EndOptions) (netip.AddrPort, error) {
	at := o.Local
	if !at.Addr().IsValid() || at.Addr().IsUnspecified() {
		six := at.Addr().Is6() || len(o.Peers) > 0 && o.Peers[0].Is6()
		own, err := addressOf(name, six)
		if err != nil {
			return at, err
		}
		at = netip.AddrPortFrom(own, at.Port())
	}
	if at.Port() != 0 {
		return at, nil
	}
	free, err := sys.OpenUDP(sys.UDPOptions{Bind: at})
	if err != nil {
		return at, err
	}
	return free.Local(), free.Close()
}

// addressOf is the interface's first address of a family that other hosts can answer to.
func addressOf(name string, six bool) (netip.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, err
	}
	all, err := i.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, one := range all {
		p, err := netip.ParsePrefix(one.String())
		if err == nil && p.Addr().Is6() == six && !p.Addr().IsLinkLocalUnicast() {
			return p.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("the interface has no address to send from")
}

// Hub is whose end it is: also of one that Single opened.
func (e *End) Hub() *Hub { return e.hub }

// Mode says which way the end's packets take, and why not a better one.
func (e *End) Mode() Mode { return e.hub.Mode() }
