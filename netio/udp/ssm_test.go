package udp

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// groups are two that take one source's word only, by their addresses (RFC 4607 §1), and two of the ordinary kind.
var (
	ssmGroups = []netip.Addr{netip.MustParseAddr("232.77.7.1"), netip.MustParseAddr("ff35::77:1")}
	asmGroups = []netip.Addr{netip.MustParseAddr("239.77.7.2"), netip.MustParseAddr("ff15::77:2")}
)

// speaker is a bed with a sender on a host and no receiver.
func speaker(t *testing.T, lab *netlab.Lab, host string, to Dial, socket Socket) *bed {
	t.Helper()
	b := &bed{t: t, source: mustRing(t, ringOptions)}
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	must(t, lab.In(host, func() (err error) {
		b.send, err = NewSender(SenderOptions{Channel: "signals", Lines: []Dial{to}, Socket: socket})
		return err
	}))
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	return b
}

// listener is a bed with a receiver on a host and no sender.
func listener(t *testing.T, lab *netlab.Lab, host string, at Listen) *bed {
	t.Helper()
	b := &bed{t: t}
	if !at.Bind.IsValid() {
		at.Bind = netip.AddrPortFrom(netip.IPv4Unspecified(), labPort)
		if at.Group.Is6() {
			at.Bind = netip.AddrPortFrom(netip.IPv6Unspecified(), labPort)
		}
	}
	must(t, lab.In(host, func() error {
		return b.open(ReceiverOptions{Lines: []Listen{at}})
	}))
	t.Cleanup(func() {
		for _, m := range b.mirrors {
			must(t, m.Close())
		}
		must(t, b.recv.Close())
	})
	return b
}

// heard is how many messages of a sender a receiver has.
func (b *bed) heard(from *bed) (n int) {
	for i, r := range b.rings {
		if r.Info().Instance == from.source.Info().Instance {
			n = int(b.mirrors[i].Seq()) - 1
		}
	}
	return n
}

// conversation publishes n messages at each sender and runs all until these receivers have heard those senders' to the end.
func conversation(t *testing.T, n int, from, to []*bed, complete ...[2]*bed) {
	t.Helper()
	for _, one := range from {
		for range n {
			if !one.offer(64) {
				t.Fatal("the ring is full")
			}
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		for _, one := range from {
			_, err := one.send.Do()
			must(t, err)
		}
		for _, one := range to {
			_, err := one.recv.Do()
			must(t, err)
			one.poll()
		}
		done := true
		for _, pair := range complete {
			done = done && pair[0].heard(pair[1]) == int(pair[1].pub.Seq())-1
		}
		if done {
			return
		}
		if time.Now().After(deadline) {
			for i, one := range to {
				t.Logf("receiver %d: %+v", i, one.recv.Stats())
			}
			t.Fatal("what was sent did not arrive")
		}
	}
}

// TestSourceSpecificGroupsHearOneHost has two hosts send to one group. Two receivers have each joined it for one of them, a third
// for anybody.
func TestSourceSpecificGroupsHearOneHost(t *testing.T) {
	lab := newLab(t, 4)
	for _, group := range ssmGroups {
		t.Run(group.String(), func(t *testing.T) {
			addr := lab.Addr
			if group.Is6() {
				addr = lab.Addr6
			}
			to := Dial{To: netip.AddrPortFrom(group, labPort), Interface: netlab.Device}
			at := func(from netip.Addr) Listen { return Listen{Group: group, From: from, Interface: netlab.Device} }
			one, two := to, to
			one.Bind, two.Bind = netip.AddrPortFrom(addr("tx"), 0), netip.AddrPortFrom(addr("rx3"), 0)
			a, b := speaker(t, lab, "tx", one, Socket{}), speaker(t, lab, "rx3", two, Socket{})
			ofA, ofB := listener(t, lab, "rx0", at(addr("tx"))), listener(t, lab, "rx1", at(addr("rx3")))
			any := listener(t, lab, "rx2", at(netip.Addr{}))
			for range 3 {
				conversation(t, 200, []*bed{a, b}, []*bed{ofA, ofB, any}, [2]*bed{any, a}, [2]*bed{any, b}, [2]*bed{ofA, a}, [2]*bed{ofB, b})
			}
			if ofA.heard(b) != 0 || ofB.heard(a) != 0 || len(ofA.mirrors) != 1 || len(ofB.mirrors) != 1 || len(any.mirrors) != 2 {
				t.Errorf("of the other host: %d and %d messages; %d, %d and %d mirrors", ofA.heard(b), ofB.heard(a), len(ofA.mirrors), len(ofB.mirrors), len(any.mirrors))
			}
			ofA.verify(1, 600, false)
			ofB.verify(1, 600, false)
			for _, one := range []*bed{ofA, ofB, any} {
				if s := one.recv.tally.Stats; s.Dropped != [reasons]uint64{} || s.Lost != 0 {
					t.Errorf("receiver: %+v", s)
				}
			}
		})
	}
}

// TestGroupsLeaveAndArriveThroughTheNamedInterface joins two hosts by a second link, and has a group on each.
func TestGroupsLeaveAndArriveThroughTheNamedInterface(t *testing.T) {
	lab := newLab(t, 1)
	const second = "eth1"
	_, err := lab.Exec("tx", "ip", "link", "add", second, "type", "veth", "peer", "name", second, "netns", lab.Namespace("rx0"))
	must(t, err)
	for i, host := range []string{"tx", "rx0"} {
		for _, words := range [][]string{
			{"ip", "link", "set", second, "up"},
			{"ip", "addr", "add", fmt.Sprintf("10.78.0.%d/24", i+1), "dev", second},
			{"ip", "addr", "add", fmt.Sprintf("fd78::%d/64", i+1), "dev", second, "nodad"},
		} {
			_, err := lab.Exec(host, words...)
			must(t, err)
		}
	}
	devices := []string{netlab.Device, second}
	for _, group := range asmGroups {
		for i, device := range devices {
			t.Run(group.String()+" "+device, func(t *testing.T) {
				var from []*bed
				for _, device := range devices {
					from = append(from, speaker(t, lab, "tx", Dial{To: netip.AddrPortFrom(group, labPort), Interface: device}, Socket{}))
				}
				to := listener(t, lab, "rx0", Listen{Group: group, Interface: device})
				meet(t, from, to)
				for range 3 {
					conversation(t, 200, from, []*bed{to}, [2]*bed{to, from[i]})
				}
				if n := to.heard(from[1-i]); n != 0 {
					t.Errorf("%d messages came through the other interface", n)
				}
				to.verify(1, 600, false)
			})
		}
	}
}

// meet lets heartbeats go by until the receiver has heard one: a link that was just made may take a second to carry.
func meet(t *testing.T, from []*bed, to *bed) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); len(to.recv.all) == 0; {
		for _, one := range from {
			_, err := one.send.Do()
			must(t, err)
		}
		_, err := to.recv.Do()
		must(t, err)
		if time.Now().After(end) {
			t.Fatal("the second link does not carry")
		}
	}
}

// TestTTLIsThatOfTheSocket has the receiver's host drop datagrams of any other TTL.
func TestTTLIsThatOfTheSocket(t *testing.T) {
	lab := newLab(t, 1)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("no nft command (package nftables)")
	}
	only := func(ttl int) {
		rule := fmt.Sprintf("add rule inet hops input udp dport %d", labPort)
		_, err := lab.Exec("rx0", "nft", "add table inet hops; flush table inet hops; "+
			"add chain inet hops input { type filter hook input priority 0; }; "+
			fmt.Sprintf("%s ip ttl != %d drop; %s ip6 hoplimit != %d drop", rule, ttl, rule, ttl))
		must(t, err)
	}
	for _, to := range append(asmGroups, lab.Addr("rx0"), lab.Addr6("rx0")) {
		for _, ttl := range []int{0, 1, 7, 255} {
			t.Run(fmt.Sprintf("%s, %d", to, ttl), func(t *testing.T) {
				want, at := ttl, Listen{Group: to, Interface: netlab.Device}
				if !to.IsMulticast() {
					at = Listen{Bind: netip.AddrPortFrom(to, labPort)}
				}
				if want == 0 && to.IsMulticast() {
					want = 1
				} else if want == 0 {
					want = 64
				}
				only(want)
				from := speaker(t, lab, "tx", Dial{To: netip.AddrPortFrom(to, labPort)}, Socket{TTL: ttl})
				to := listener(t, lab, "rx0", at)
				conversation(t, 20, []*bed{from}, []*bed{to}, [2]*bed{to, from})
				to.verify(1, 20, false)
			})
		}
	}
}

// TestRouterPassesOnWhatHasHopsLeft puts a router between two hosts: of two senders the one with a TTL of 2 is heard.
func TestRouterPassesOnWhatHasHopsLeft(t *testing.T) {
	lab := newLab(t, 2)
	for _, line := range []string{"ip_forward", "conf/all/send_redirects", "conf/" + netlab.Device + "/send_redirects"} {
		on := "0"
		if line == "ip_forward" {
			on = "1"
		}
		_, err := lab.Exec("rx1", "sh", "-c", "echo "+on+" > /proc/sys/net/ipv4/"+line)
		must(t, err)
	}
	to := lab.Addr("rx0")
	_, err := lab.Exec("tx", "ip", "route", "replace", to.String()+"/32", "via", lab.Addr("rx1").String(), "dev", netlab.Device)
	must(t, err)
	at := netip.AddrPortFrom(to, labPort)
	near, far := speaker(t, lab, "tx", Dial{To: at}, Socket{TTL: 1}), speaker(t, lab, "tx", Dial{To: at}, Socket{TTL: 2})
	heard := listener(t, lab, "rx0", Listen{Bind: at})
	for range 3 {
		conversation(t, 100, []*bed{near, far}, []*bed{heard}, [2]*bed{heard, far})
	}
	if n := heard.heard(near); n != 0 || near.send.Frames != 300 {
		t.Errorf("%d messages of %d got through a router that must not pass them on", n, near.send.Frames)
	}
	heard.verify(1, 300, false)
}

// TestLoopbackReachesMembersOnThisHost has a member on the sender's host, and one elsewhere that hears in any case.
func TestLoopbackReachesMembersOnThisHost(t *testing.T) {
	lab := newLab(t, 1)
	for _, group := range asmGroups {
		t.Run(group.String(), func(t *testing.T) {
			to := Dial{To: netip.AddrPortFrom(group, labPort), Interface: netlab.Device}
			on, off := speaker(t, lab, "tx", to, Socket{Loopback: true}), speaker(t, lab, "tx", to, Socket{})
			at := Listen{Group: group, Interface: netlab.Device}
			here, there := listener(t, lab, "tx", at), listener(t, lab, "rx0", at)
			for range 3 {
				conversation(t, 200, []*bed{off, on}, []*bed{here, there}, [2]*bed{here, on}, [2]*bed{there, on}, [2]*bed{there, off})
			}
			if n := here.heard(off); n != 0 {
				t.Errorf("%d messages reached a member on the sender's own host, which were not to", n)
			}
			here.verify(1, 600, false)
		})
	}
}
