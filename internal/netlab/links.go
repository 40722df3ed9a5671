package netlab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/alphapulse/transport/internal/sys"
)

// build makes namespaces, links and addresses.
func (l *Lab) build() error {
	hosts := l.options.Hosts
	if len(hosts) == 2 {
		if err := l.add(hosts...); err != nil {
			return err
		}
		if err := l.pair(hosts[0], l.device(hosts[0], Device), l.Namespace(hosts[1]), l.device(hosts[1], Device)); err != nil {
			return err
		}
	} else if err := l.star(); err != nil {
		return err
	}
	for _, h := range hosts {
		if err := l.address(h); err != nil {
			return err
		}
	}
	return nil
}

// add makes the namespaces.
func (l *Lab) add(names ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		ns := l.Namespace(name)
		if err := ip("netns", "add", ns); err != nil {
			return err
		}
		l.made = append(l.made, ns)
	}
	return nil
}

// device says what ip-link(8) needs to know of an end of a link. Ethernet addresses follow from the host's number, so all hosts can
// be told them beforehand.
func (l *Lab) device(host, name string) string {
	text := fmt.Sprintf("%s mtu %d numtxqueues %d numrxqueues %d", name, l.options.MTU, l.options.Queues, l.options.Queues)
	if name == Device {
		text += " address " + l.ethernet(host)
	}
	return text
}

func (l *Lab) ethernet(host string) string {
	return fmt.Sprintf("02:00:0a:4d:%02x:%02x", l.claim.net(), l.number(host))
}

// pair joins host's device with one in another namespace.
func (l *Lab) pair(host, near, ns, far string) error {
	return batch(l.Namespace(host), fmt.Sprintf("link add %s type veth peer name %s netns %s", near, far, ns))
}

// star joins all hosts by a bridge. It floods multicast: nobody here asks who has joined.
func (l *Lab) star() error {
	if err := l.add(append([]string{bridge}, l.options.Hosts...)...); err != nil {
		return err
	}
	lines := []string{"link add " + bridge + " type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set " + bridge + " up"}
	for _, h := range l.options.Hosts {
		if err := l.pair(h, l.device(h, Device), l.Namespace(bridge), l.device(h, l.port(h))); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("link set %s master %s up", l.port(h), bridge))
	}
	return batch(l.Namespace(bridge), lines...)
}

// port is the bridge's end of the host's link.
func (l *Lab) port(host string) string { return fmt.Sprintf("port%d", l.number(host)) }

// address brings the host's devices up with all that the kernel forgets when they go down: addresses, without waiting for duplicates
// to be detected, the multicast route and the other hosts' Ethernet addresses.
func (l *Lab) address(host string) error {
	lines := []string{
		"link set lo up",
		"link set " + Device + " addrgenmode none",
		"link set " + Device + " up",
		fmt.Sprintf("addr replace %s/24 dev %s", l.Addr(host), Device),
		fmt.Sprintf("addr replace %s/64 dev %s nodad", l.Addr6(host), Device),
		fmt.Sprintf("addr replace %s/64 dev %s nodad", l.linkLocal(host), Device),
		"route replace 224.0.0.0/4 dev " + Device,
	}
	for _, other := range l.options.Hosts {
		if other == host {
			continue
		}
		for _, a := range l.addrs(other) {
			lines = append(lines, fmt.Sprintf("neigh replace %s lladdr %s dev %s nud permanent", a, l.ethernet(other), Device))
		}
	}
	return batch(l.Namespace(host), lines...)
}

func (l *Lab) linkLocal(host string) netip.Addr { return l.addr6(0xfe, 0x80, host) }

func (l *Lab) addrs(host string) []netip.Addr {
	return []netip.Addr{l.Addr(host), l.Addr6(host), l.linkLocal(host)}
}

// LinkDown takes the host off the network: its device goes down, and what is on its way there is lost. Neighbours may take a second
// to notice.
func (l *Lab) LinkDown(host string) error {
	return l.change(host, func() error { return batch(l.Namespace(host), "link set "+Device+" down") })
}

// LinkUp brings the host back with its addresses. Neighbours may take a second to notice.
func (l *Lab) LinkUp(host string) error {
	return l.change(host, func() error { return l.address(host) })
}

// MTU changes the largest packet that the host sends and takes, 1280 to 65535 bytes. What is larger does not reach it, and nobody is
// told, as across a tunnel that drops it.
func (l *Lab) MTU(host string, n int) error {
	if err := mtuFault(n); err != nil {
		return fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return l.change(host, func() error {
		if err := batch(l.Namespace(host), fmt.Sprintf("link set %s mtu %d", Device, n)); err != nil || len(l.options.Hosts) == 2 {
			return err
		}
		return batch(l.Namespace(bridge), fmt.Sprintf("link set %s mtu %d", l.port(host), n))
	})
}

// Queues changes how many of its queues the host's device uses, from 1 to Options.Queues. A device with a native XDP program needs as
// many to receive as the other end of its cable has to send.
func (l *Lab) Queues(host string, receive, send int) error {
	return l.change(host, func() error {
		return l.In(host, func() error { return sys.SetQueues(Device, receive, send) })
	})
}

// Checksums has the host's device fill in checksums, which at a virtual cable nobody does and nobody misses, or the kernel in its place.
func (l *Lab) Checksums(host string, device bool) error {
	return l.change(host, func() error {
		return l.In(host, func() error { return sys.SetChecksums(Device, device) })
	})
}

// change does something to a host of the lab.
func (l *Lab) change(host string, do func() error) error {
	if err := l.known(host); err != nil {
		return err
	}
	if err := do(); err != nil {
		return fmt.Errorf("netlab: %s: %w", host, err)
	}
	return nil
}

func ip(args ...string) error {
	_, err := run(exec.Command("ip", args...), "")
	return err
}

// batch has one ip process do all lines within a namespace.
func batch(ns string, lines ...string) error {
	_, err := run(exec.Command("ip", "-n", ns, "-batch", "-"), strings.Join(lines, "\n")+"\n")
	return err
}

// run runs a command to its end. What it printed explains a failure.
func run(c *exec.Cmd, input string) (string, error) {
	var out, faults bytes.Buffer
	if input != "" {
		c.Stdin = strings.NewReader(input)
	}
	c.Stdout, c.Stderr = &out, &faults
	if err := c.Run(); err != nil {
		said := strings.TrimSpace(faults.String() + out.String())
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, said)
	}
	return out.String(), nil
}
