package packet

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
)

const patience = 10 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLab(t *testing.T, hosts ...string) *netlab.Lab {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New(hosts...)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// exec runs commands within the host, one a line.
func exec(t *testing.T, l *netlab.Lab, host string, lines ...string) string {
	t.Helper()
	out, err := l.Exec(host, "sh", "-ec", strings.Join(lines, "\n"))
	must(t, err)
	return out
}

// impatient has the host's kernel ask its neighbours quickly and forget soon that they answered.
func impatient(t *testing.T, l *netlab.Lab, host string) {
	t.Helper()
	exec(t, l, host, `for f in 4 6; do
		cd /proc/sys/net/ipv$f/neigh/eth0
		echo 40 > retrans_time_ms; echo 0 > delay_first_probe_time; echo 2 > mcast_solicit; echo 1 > ucast_solicit; echo 0 > locktime
	done`)
}

func forgetful(t *testing.T, l *netlab.Lab, host string) {
	t.Helper()
	exec(t, l, host, "for f in 4 6; do echo 200 > /proc/sys/net/ipv$f/neigh/eth0/base_reachable_time_ms; done")
}

func openResolver(t *testing.T, l *netlab.Lab, host, ifname string) (r *Resolver) {
	t.Helper()
	must(t, l.In(host, func() (err error) {
		r, err = OpenResolver(ifname)
		return err
	}))
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

// until runs the Resolver until the condition holds.
func until(t *testing.T, r *Resolver, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := r.Do(time.Now())
		must(t, err)
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			for _, target := range r.targets {
				way, err := target.Way()
				t.Logf("%s: %+v, %v, hop %+v", target.to, way, err, target.hop)
			}
			t.Fatalf("not in time: %s", what)
		}
		must(t, r.hear.Wait(10*time.Millisecond))
	}
}

// macOf is the Ethernet address of the host's device as the host has it.
func macOf(t *testing.T, l *netlab.Lab, host string) MAC {
	t.Helper()
	mac, err := net.ParseMAC(strings.TrimSpace(exec(t, l, host, "cat /sys/class/net/eth0/address")))
	must(t, err)
	return MAC(mac)
}

// bind is a kernel's socket in the host.
func bind(t *testing.T, l *netlab.Lab, host string, at netip.AddrPort) (c *net.UDPConn) {
	t.Helper()
	must(t, l.In(host, func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	}))
	t.Cleanup(func() { must(t, c.Close()) })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

func openTap(t *testing.T, l *netlab.Lab, host string) *sys.Tap {
	t.Helper()
	return openTapOn(t, l, host, netlab.Device)
}

func openTapOn(t *testing.T, l *netlab.Lab, host, ifname string) (tap *sys.Tap) {
	t.Helper()
	must(t, l.In(host, func() (err error) {
		tap, err = sys.OpenTap(ifname)
		return err
	}))
	t.Cleanup(func() { must(t, tap.Close()) })
	return tap
}
