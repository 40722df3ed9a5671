package netlab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	childEnv = "PULSE_NETLAB_CHILD" // hosts of the lab that a child of this test makes
	patience = 10 * time.Second
)

func TestMain(m *testing.M) {
	if hosts := os.Getenv(childEnv); hosts != "" {
		os.Exit(child(strings.Fields(hosts)))
	}
	os.Exit(m.Run())
}

// child makes a lab, says so, and keeps it until standard input ends.
func child(hosts []string) int {
	l, err := New(hosts...)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("made", l.claim.name)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := l.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func need(t *testing.T, filters bool) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("nft"); filters && err != nil {
		t.Skip("no nft command (package nftables)")
	}
}

// lab is a lab that ends with the test and leaves nothing.
func lab(t *testing.T, o Options) *Lab {
	t.Helper()
	need(t, false)
	l, err := Open(o)
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

func hosts(names ...string) Options { return Options{Hosts: names} }

// bind is a socket of the host.
func bind(t *testing.T, l *Lab, host string, at netip.AddrPort) (c *net.UDPConn) {
	t.Helper()
	err := l.In(host, func() (err error) {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := errors.Join(c.SetReadBuffer(4<<20), c.SetReadDeadline(time.Now().Add(2*patience))); err != nil {
		t.Fatal(err)
	}
	return c
}

func local(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func send(t *testing.T, c *net.UDPConn, text string, to netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(text), to); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c *net.UDPConn, want string) netip.AddrPort {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatalf("%q does not come: %v", want, err)
	}
	if got := string(buf[:n]); got != want {
		t.Fatalf("%.20q comes instead of %.20q", got, want)
	}
	return from
}

// namespaces are those of a lab by ip-netns(8).
func namespaces(t *testing.T, prefix string) (all []string) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], prefix+"-") {
			all = append(all, f[0])
		}
	}
	return all
}

func TestAllHostsReachEachOtherByBothFamiliesAtOnce(t *testing.T) {
	for name, o := range map[string]Options{
		"two": hosts("a", "b"), "five": hosts("a", "b", "c", "d", "e"), "two queues, jumbo": {Hosts: []string{"near", "far"}, MTU: 9000, Queues: 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab(t, o)
			for _, addr := range []func(string) netip.Addr{l.Addr, l.Addr6} {
				socks := map[string]*net.UDPConn{}
				for _, h := range o.Hosts {
					socks[h] = bind(t, l, h, netip.AddrPortFrom(addr(h), 0))
				}
				for _, from := range o.Hosts {
					for _, to := range o.Hosts {
						if from == to {
							continue
						}
						send(t, socks[from], from+" to "+to, local(socks[to]))
						if seen := expect(t, socks[to], from+" to "+to); seen != local(socks[from]) {
							t.Errorf("%s is seen as %s", local(socks[from]), seen)
						}
					}
				}
			}
			for _, h := range o.Hosts {
				if err := l.In(h, func() error {
					dev, err := net.InterfaceByName(Device)
					if err == nil && dev.MTU != l.options.MTU {
						err = fmt.Errorf("MTU %d", dev.MTU)
					}
					return err
				}); err != nil {
					t.Errorf("%s: %v", h, err)
				}
			}
		})
	}
}

func TestMulticastReachesAllWhoJoined(t *testing.T) {
	for _, group := range []string{"239.7.7.7", "ff15::77"} {
		all := []string{"a", "b", "c", "d"}
		l := lab(t, hosts(all...))
		to := netip.AddrPortFrom(netip.MustParseAddr(group), 7777)
		joined := map[string]*net.UDPConn{}
		for _, h := range all[1:] {
			if err := l.In(h, func() error {
				dev, err := net.InterfaceByName(Device)
				if err != nil {
					return err
				}
				joined[h], err = net.ListenMulticastUDP("udp", dev, net.UDPAddrFromAddrPort(to))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = joined[h].Close() })
			if err := joined[h].SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
		}
		from := l.Addr("a")
		if to.Addr().Is6() {
			from = l.Addr6("a")
		}
		send(t, bind(t, l, "a", netip.AddrPortFrom(from, 0)), "to all", to)
		for _, h := range all[1:] {
			expect(t, joined[h], "to all")
		}
	}
}

func TestTwoLabsOfOneProcessAreApart(t *testing.T) {
	one, two := lab(t, hosts("a", "b")), lab(t, hosts("a", "b"))
	if one.Namespace("a") != fmt.Sprintf("pulse-%d-a", os.Getpid()) {
		t.Errorf("the first lab's host is %s", one.Namespace("a"))
	}
	if one.Namespace("a") == two.Namespace("a") || one.Addr("a") == two.Addr("a") {
		t.Errorf("%s, %s; %s, %s", one.Namespace("a"), two.Namespace("a"), one.Addr("a"), two.Addr("a"))
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	a, b := bind(t, one, "a", netip.AddrPortFrom(one.Addr("a"), 0)), bind(t, one, "b", netip.AddrPortFrom(one.Addr("b"), 0))
	send(t, a, "still here", local(b))
	expect(t, b, "still here")
}

func TestProgramsRunWithinAHostAndEndWithTheLab(t *testing.T) {
	l := lab(t, hosts("a", "b"))
	out, err := l.Exec("b", "ip", "-br", "addr", "show", "dev", Device)
	if err != nil || !strings.Contains(out, l.Addr("b").String()) || !strings.Contains(out, l.Addr6("b").String()) {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := l.Exec("a", "sh", "-c", "echo what is wrong >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "what is wrong") {
		t.Errorf("a failing program: %v", err)
	}
	cmd := l.Command(context.Background(), "a", "cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended by itself")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	for _, o := range []Options{hosts("a", "b"), hosts("a", "b", "c")} {
		l := lab(t, o)
		if n := len(namespaces(t, l.claim.name)); n < len(o.Hosts) {
			t.Fatalf("%d namespaces", n)
		}
		bind(t, l, "a", netip.AddrPortFrom(l.Addr("a"), 0)) // open beyond Close
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Fatal(err)
		}
		if left := namespaces(t, l.claim.name); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if _, err := os.Stat(l.claim.file.Name()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its claim is left: %v", err)
		}
		if err := l.In("a", func() error { return nil }); err == nil {
			t.Error("a host outlives its lab")
		}
	}
}

// start runs this test's binary as a process that has a lab, and returns the lab's name.
func start(t *testing.T, hosts string) (cmd *exec.Cmd, name string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+hosts)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "made %s", &name); err != nil || scanErr != nil {
		t.Fatalf("child says %q: %v", line, err)
	}
	return cmd, name
}

func TestWhatAKilledProcessLeftIsSwept(t *testing.T) {
	need(t, false)
	killed, dead := start(t, "a b c")
	_, alive := start(t, "a b")
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	if left := namespaces(t, dead); len(left) != 4 {
		t.Logf("left by the killed process: %v; another lab may have swept it already", left)
	}
	const unclaimed, foreign = "pulse-2147483647-a", "pulse-of-somebody" // beyond any process number; not a lab's name
	for _, ns := range []string{unclaimed, foreign} {
		if err := ip("netns", "add", ns); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ip("netns", "del", ns) }) // the first is gone if all is well
	}
	mine := lab(t, hosts("a", "b"))
	if names := list(netnsDir); slices.Contains(names, unclaimed) || !slices.Contains(names, foreign) {
		t.Errorf("names after the sweep: %v", names)
	}
	if left := namespaces(t, dead); len(left) > 0 {
		t.Errorf("left after the sweep: %v", left)
	}
	for _, name := range []string{alive, mine.claim.name} {
		if got := namespaces(t, name); len(got) != 2 {
			t.Errorf("%s has %v", name, got)
		}
	}
	if slices.Contains(list(claimDir), dead) {
		t.Error("the claim of the killed process is left")
	}
}

func TestBadOptionsNameEveryFault(t *testing.T) {
	_, err := Open(Options{Hosts: []string{"A"}, MTU: 100, Queues: 99})
	if !errors.Is(err, ErrOptions) {
		t.Fatal(err)
	}
	for _, name := range []string{"1 hosts", `"A"`, "MTU", "queues"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
	for _, bad := range [][]string{{"a", "a"}, {"a", ""}, {"a", bridge}, {"a", "b/c"}, {"a", "-b"}, {"a", "thirteenchars"}} {
		if _, err := New(bad...); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUnknownHostsAndBadValuesAreRefused(t *testing.T) {
	l := lab(t, hosts("a", "b"))
	for name, do := range map[string]func() error{
		"in":        func() error { return l.In("x", func() error { return nil }) },
		"exec":      func() error { _, err := l.Exec("x", "true"); return err },
		"nothing":   func() error { _, err := l.Exec("a"); return err },
		"loss":      func() error { return l.Loss("x", 1) },
		"percent":   func() error { return l.Loss("a", 101) },
		"nan":       func() error { return l.Loss("a", math.NaN()) },
		"every":     func() error { return l.DropEvery("a", -1) },
		"partition": func() error { return l.Partition("a", "x") },
		"heal":      func() error { return l.Heal("x") },
		"counters":  func() error { _, err := l.Counters("x"); return err },
		"down":      func() error { return l.LinkDown("x") },
		"mtu":       func() error { return l.MTU("a", 100) },
	} {
		if err := do(); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.Addr("x").IsValid() || l.Addr6("x").IsValid() {
		t.Error("a host that is not there has an address")
	}
}
