package simnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ErrConfig says that Config is wrong; the text lists all faults. The caller mends it.
var ErrConfig = errors.New("simnet: configuration")

// Config describes a relay. Target has no default.
type Config struct {
	// Listen is where clients send to. Zero: the loopback address of Target's family and any port, see Relay.Addr.
	Listen netip.AddrPort

	// Target is whom the relay sends to, and the only one whose answers it takes.
	Target netip.AddrPort

	// Peer is the only client, if set. It is known from the start, so the target may send first, to Relay.Back.
	Peer netip.AddrPort

	// Seed decides, with the direction and a datagram's number, what is drawn for it.
	Seed uint64

	// Up and Down are the faults at the start.
	Up, Down Faults
}

func (c Config) check() (Config, error) {
	var faults []error
	if !c.Target.IsValid() || c.Target.Port() == 0 {
		faults = append(faults, errors.New("no target address and port"))
	}
	if !c.Listen.IsValid() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if c.Target.Addr().Is6() && !c.Target.Addr().Is4In6() {
			loopback = netip.IPv6Loopback()
		}
		c.Listen = netip.AddrPortFrom(loopback, 0)
	}
	if c.Peer.IsValid() && c.Peer.Port() == 0 {
		faults = append(faults, fmt.Errorf("peer %s has no port", c.Peer))
	}
	if c.Listen == c.Target {
		faults = append(faults, fmt.Errorf("listens on its own target %s", c.Target))
	}
	for d, f := range map[Direction]Faults{Up: c.Up, Down: c.Down} {
		if err := f.Check(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", d, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c.Target = unmapped(c.Target)
	return c, nil
}

const (
	maxClients   = 1024
	maxDatagram  = 1 << 16 // more than UDP carries
	socketBuffer = 4 << 20 // asked for; the kernel grants what net.core.rmem_max allows
)

// Relay forwards datagrams between clients and a target. All its methods may be called at any time from any goroutine.
type Relay struct {
	config   Config
	start    time.Time
	socket   *net.UDPConn
	from     netip.Addr // the address that reaches the target
	up, down *line

	mu      sync.Mutex
	clients map[netip.AddrPort]*client
	foreign [2]uint64 // up, down
	running bool
	closed  bool
	readers sync.WaitGroup // of clients' sockets
}

// client is somebody who sent to the relay, with the socket that stands for it towards the target.
type client struct {
	addr   netip.AddrPort
	socket *net.UDPConn
	seen   time.Duration
}

// New binds the relay's sockets. From then on datagrams collect in them; Run forwards. Close gives them back.
func New(c Config) (*Relay, error) {
	c, err := c.check()
	if err != nil {
		return nil, err
	}
	r := &Relay{config: c, start: time.Now(), clients: map[netip.AddrPort]*client{}}
	r.up = newLine(NewScript(c.Seed, Up, c.Up), func(b []byte, to *client) error {
		_, err := to.socket.WriteToUDPAddrPort(b, c.Target)
		return err
	})
	r.down = newLine(NewScript(c.Seed, Down, c.Down), func(b []byte, to *client) error {
		_, err := r.socket.WriteToUDPAddrPort(b, to.addr)
		return err
	})
	if r.from, err = routeTo(c.Target); err != nil {
		return nil, fmt.Errorf("simnet: %w", err)
	}
	if r.socket, err = listen(c.Listen); err != nil {
		return nil, fmt.Errorf("simnet: %w", err)
	}
	if c.Peer.IsValid() {
		if _, err := r.client(c.Peer); err != nil {
			return nil, errors.Join(fmt.Errorf("simnet: %w", err), r.socket.Close())
		}
	}
	return r, nil
}

// Addr is where clients send to.
func (r *Relay) Addr() netip.AddrPort { return r.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Back is where the target reaches Config.Peer before that has sent anything. Without a peer it is the zero AddrPort.
func (r *Relay) Back() netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clients[r.config.Peer]; c != nil {
		return c.socket.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	return netip.AddrPort{}
}

// Run forwards until ctx ends or Close is called, and returns nil then. It is called once, and closes the relay.
func (r *Relay) Run(ctx context.Context) error {
	if err := r.begin(); err != nil {
		return fmt.Errorf("simnet: run: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Close() }) // an error of Close's own is of no use here
	defer stop()
	ended, end := context.WithCancel(ctx)
	defer end()
	var lines sync.WaitGroup
	for _, l := range []*line{r.up, r.down} {
		lines.Go(func() { r.serve(ended, l) })
	}
	err := r.listen()
	end()
	err = errors.Join(err, r.Close())
	r.readers.Wait()
	lines.Wait()
	r.up.close()
	r.down.close()
	if err != nil {
		return fmt.Errorf("simnet: %w", err)
	}
	return nil
}

// Close ends Run and gives the sockets back. What waits is not sent.
func (r *Relay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	faults := []error{r.socket.Close()}
	for _, c := range r.clients {
		faults = append(faults, c.socket.Close())
	}
	return errors.Join(faults...)
}

// Set changes the faults of a direction, or of Both. What waits leaves within the new delay.
func (r *Relay) Set(d Direction, f Faults) error {
	if err := f.Check(); err != nil {
		return err
	}
	r.each(d, func(l *line) { l.set(r.now(), f) })
	return nil
}

// Partition lets nothing in, in that direction or in Both, or ends that. What is on its way arrives.
func (r *Relay) Partition(d Direction, on bool) { r.each(d, func(l *line) { l.partition(on) }) }

// Counters are exact at every moment, each direction for itself.
func (r *Relay) Counters() (up, down Counters) {
	up, down = r.up.counters(), r.down.counters()
	r.mu.Lock()
	defer r.mu.Unlock()
	up.Foreign, down.Foreign = r.foreign[0], r.foreign[1]
	return up, down
}

func (r *Relay) each(d Direction, do func(*line)) {
	if d&Up != 0 {
		do(r.up)
	}
	if d&Down != 0 {
		do(r.down)
	}
}

func (r *Relay) now() time.Duration { return time.Since(r.start) }

func (r *Relay) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return net.ErrClosed
	case r.running:
		return errors.New("runs already")
	}
	r.running = true
	for _, c := range r.clients {
		r.readers.Go(func() { r.answers(c) })
	}
	return nil
}

// listen takes what clients send.
func (r *Relay) listen() error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := r.socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			return unlessClosed(err)
		}
		if p := r.config.Peer; p.IsValid() && unmapped(from) != unmapped(p) {
			r.ignore(0)
			continue
		}
		c, err := r.client(from)
		if err != nil {
			return unlessClosed(err)
		}
		r.up.enter(r.now(), buf[:n], c)
	}
}

// answers takes what the target sends to one client.
func (r *Relay) answers(c *client) {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := c.socket.ReadFromUDPAddrPort(buf)
		switch {
		case err != nil:
			return // closed, for its client made room or the relay ends
		case unmapped(from) != r.config.Target:
			r.ignore(1)
		default:
			r.down.enter(r.now(), buf[:n], c)
		}
	}
}

func (r *Relay) ignore(direction int) {
	r.mu.Lock()
	r.foreign[direction]++
	r.mu.Unlock()
}

// client finds the client of that address, or makes room and a socket for a new one.
func (r *Relay) client(addr netip.AddrPort) (*client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	key := addr
	if r.config.Peer.IsValid() {
		key = r.config.Peer
	}
	c := r.clients[key]
	if c == nil {
		if len(r.clients) >= maxClients {
			r.makeRoom()
		}
		socket, err := listen(netip.AddrPortFrom(r.from, 0))
		if err != nil {
			return nil, err
		}
		c = &client{addr: key, socket: socket}
		r.clients[key] = c
		if r.running {
			r.readers.Go(func() { r.answers(c) })
		}
	}
	c.seen = r.now()
	return c, nil
}

// makeRoom forgets the client that was silent longest.
func (r *Relay) makeRoom() {
	var oldest *client
	for _, c := range r.clients {
		if oldest == nil || c.seen < oldest.seen {
			oldest = c
		}
	}
	delete(r.clients, oldest.addr)
	_ = oldest.socket.Close() // it ends its reader, which is all that is wanted
}

// serve sends what a line keeps, each when it is due.
func (r *Relay) serve(ctx context.Context, l *line) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if next, ok := l.expire(r.now()); ok {
			wait = next - r.now()
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// routeTo asks the kernel which local address reaches the target; nothing is sent.
func routeTo(target netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
	if err != nil {
		return netip.Addr{}, err
	}
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	return local, c.Close()
}

func listen(at netip.AddrPort) (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.SetReadBuffer(socketBuffer), c.SetWriteBuffer(socketBuffer)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// unlessClosed: a closed socket is how reading ends.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
