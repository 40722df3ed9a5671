package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// ErrOptions says that Options, or an argument of a method, are wrong; the text lists all faults. The caller mends them.
var ErrOptions = errors.New("netlab: options")

// Device is the name of every host's network device.
const Device = "eth0"

// Options describe a lab. Hosts has no default.
type Options struct {
	// Hosts are the hosts' names, 2 to 200 of them: up to 12 small letters, digits and '-', starting with a letter, and not "bridge".
	Hosts []string

	// MTU of every link, 1280 to 65535 bytes; 0 means 1500. Less than 1280 would end IPv6.
	MTU int

	// Queues are the receive and send queues of every device, 1 to 16; 0 means 1.
	Queues int
}

const (
	bridge   = "bridge" // the namespace that joins more than two hosts, and the device in it
	maxHosts = 200
	minMTU   = 1280
	maxMTU   = 65535
)

var hostName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,11}$`)

func (o Options) check() (Options, error) {
	var faults []error
	if len(o.Hosts) < 2 || len(o.Hosts) > maxHosts {
		faults = append(faults, fmt.Errorf("%d hosts are not 2 to %d", len(o.Hosts), maxHosts))
	}
	for i, h := range o.Hosts {
		switch {
		case !hostName.MatchString(h) || h == bridge:
			faults = append(faults, fmt.Errorf("host %q: 1 to 12 small letters, digits or '-', starting with a letter, not %q", h, bridge))
		case slices.Contains(o.Hosts[:i], h):
			faults = append(faults, fmt.Errorf("host %q is named twice", h))
		}
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.Queues == 0 {
		o.Queues = 1
	}
	faults = append(faults, mtuFault(o.MTU))
	if o.Queues < 1 || o.Queues > 16 {
		faults = append(faults, fmt.Errorf("%d queues are not 1 to 16", o.Queues))
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	o.Hosts = slices.Clone(o.Hosts)
	return o, nil
}

func mtuFault(mtu int) error {
	if mtu < minMTU || mtu > maxMTU {
		return fmt.Errorf("MTU %d is not %d to %d", mtu, minMTU, maxMTU)
	}
	return nil
}

// Supported says what is missing for a lab on this machine: Linux, root, the ip command. The filters' methods need the nft command
// too and name it themselves.
func Supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("netlab: %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	var faults []error
	if os.Geteuid() != 0 {
		faults = append(faults, errors.New("not root"))
	}
	if _, err := exec.LookPath("ip"); err != nil {
		faults = append(faults, errors.New("no ip command (package iproute2)"))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	return nil
}

// Lab is a network of hosts. Its methods may be called from any goroutine; the zero Lab is not valid.
type Lab struct {
	options Options
	claim   *claim
	ctx     context.Context // ends with Close; commands end with it
	end     context.CancelFunc

	mu      sync.Mutex
	made    []string // namespaces that exist
	filters map[string]*filter
	closed  bool
}

// New makes a lab of these hosts with the default Options.
func New(hosts ...string) (*Lab, error) { return Open(Options{Hosts: hosts}) }

// Open removes what killed processes left behind and makes a lab. All its links are up, its addresses usable and its hosts know
// each other's Ethernet addresses when it returns.
func Open(o Options) (*Lab, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	if err := Supported(); err != nil {
		return nil, err
	}
	l := &Lab{options: o, filters: map[string]*filter{}}
	if l.claim, err = claimLab(); err != nil {
		return nil, fmt.Errorf("netlab: %w", err)
	}
	l.ctx, l.end = context.WithCancel(context.Background())
	err = l.build()
	for i := 1; err == nil && i < len(o.Hosts); i++ {
		err = l.reach(o.Hosts[0], o.Hosts[i])
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("netlab: %w", err), l.Close())
	}
	return l, nil
}

// reach waits until a datagram gets from one host to another: the kernel learns by and by that both ends of a link are up, which
// takes a second on a busy machine.
func (l *Lab) reach(from, to string) error {
	var socks [2]*net.UDPConn
	for i, host := range []string{from, to} {
		err := l.In(host, func() (err error) {
			socks[i], err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(l.Addr(host), 0)))
			return err
		})
		if err != nil {
			return err
		}
		defer socks[i].Close()
	}
	target, buf := socks[1].LocalAddr().(*net.UDPAddr), make([]byte, 1)
	for range 500 {
		if _, err := socks[0].WriteToUDP([]byte{1}, target); err != nil {
			return err
		}
		if err := socks[1].SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
		if _, _, err := socks[1].ReadFromUDP(buf); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s does not reach %s", from, to)
}

// Addr is the host's IPv4 address, within 10.77.0.0/16. It is the zero Addr for a host that is not in the lab.
func (l *Lab) Addr(host string) netip.Addr {
	n := l.number(host)
	if n == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{10, 77, l.claim.net(), n})
}

// Addr6 is the host's IPv6 address, within fd77::/16. It is the zero Addr for a host that is not in the lab.
func (l *Lab) Addr6(host string) netip.Addr { return l.addr6(0xfd, 0x77, host) }

func (l *Lab) addr6(b0, b1 byte, host string) netip.Addr {
	n := l.number(host)
	if n == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte{0: b0, 1: b1, 13: l.claim.net(), 15: n})
}

// number is the host's place, from 1, or 0 if it is not in the lab.
func (l *Lab) number(host string) byte { return byte(slices.Index(l.options.Hosts, host) + 1) }

// Namespace is the name of the host's namespace below /run/netns.
func (l *Lab) Namespace(host string) string { return l.claim.name + "-" + host }

// In runs fn on a thread within the host and returns its error. Sockets that fn opens stay the host's, wherever they are used later;
// goroutines that it starts run outside.
func (l *Lab) In(host string, fn func() error) error {
	if err := l.known(host); err != nil {
		return err
	}
	return sys.InNetns(l.Namespace(host), fn)
}

// Command is a program that will run within the host. It is killed when ctx or the lab ends.
func (l *Lab) Command(ctx context.Context, host, name string, args ...string) *exec.Cmd {
	ctx, kill := context.WithCancel(ctx)
	context.AfterFunc(l.ctx, kill)
	return l.command(ctx, host, append([]string{name}, args...))
}

func (l *Lab) command(ctx context.Context, host string, words []string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", l.Namespace(host)}, words...)...)
}

// Exec runs a program within the host to its end and returns what it printed. If the program fails, that is part of the error.
func (l *Lab) Exec(host string, cmd ...string) (string, error) {
	if err := l.known(host); err != nil {
		return "", err
	}
	if len(cmd) == 0 {
		return "", fmt.Errorf("%w: no command for %s", ErrOptions, host)
	}
	out, err := run(l.command(l.ctx, host, cmd), "")
	if err != nil {
		err = fmt.Errorf("netlab: %s: %w", host, err)
	}
	return out, err
}

// Close ends the lab's commands and removes its namespaces. A namespace that a socket still belongs to goes when that is closed; its
// name goes now.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.end()
	var faults []error
	for _, ns := range l.made {
		faults = append(faults, ip("netns", "del", ns))
	}
	faults = append(faults, l.claim.release())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("netlab: close: %w", err)
	}
	return nil
}

func (l *Lab) known(host string) error {
	if l.number(host) == 0 {
		return fmt.Errorf("%w: no host %q among %s", ErrOptions, host, strings.Join(l.options.Hosts, ", "))
	}
	return nil
}
