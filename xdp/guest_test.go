package xdp

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/numa"
)

// The tests in this file need a machine that scripts/xdp-guests.sh emulates: an older kernel, and two nodes of two CPUs. What else
// the script runs inside are tests of the other files.

// kernel is a version of Linux.
type kernel struct{ major, minor int }

func (k kernel) since(major, minor int) bool {
	return k.major > major || k.major == major && k.minor >= minor
}

func (k kernel) String() string { return fmt.Sprintf("%d.%d", k.major, k.minor) }

func guest(t *testing.T) (k kernel) {
	t.Helper()
	if os.Getenv("PULSE_GUEST") == "" {
		t.Skip("needs the machines of scripts/xdp-guests.sh")
	}
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d.%d", &k.major, &k.minor)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What a kernel is too old for is missing with a reason, and the rest works.
func TestGuestXDPSaysWhatItsKernelLacks(t *testing.T) {
	k := guest(t)
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{MTU: 9000})
			a := b.probe("b", netlab.Device)
			t.Log(a.Explain())
			if a.Told != k.since(6, 3) || a.Native != a.Told || a.Segments != a.Told || !a.Generic || !a.Send || a.Driver != "veth" {
				t.Errorf("Linux %v: %+v", k, a)
			}
			if strings.Contains(a.Explain(), errSaysNone.Error()) == a.Told {
				t.Errorf("Linux %v: %s", k, a.Explain())
			}
			d := b.open("b", Options{Ports: []uint16{port}, Attach: attach})
			m := d.Mode()
			t.Log(m.Explain())
			if m.Attach != attach || m.ZeroCopy || m.Segments != k.since(6, 6) || m.ChunkSize != 4096 {
				t.Errorf("Linux %v: %+v", k, m)
			}
			if strings.Contains(m.Explain(), "\nnot several chunks a packet: ") == m.Segments || !strings.Contains(m.Explain(), "\nnot zero-copy: ") {
				t.Errorf("Linux %v: %s", k, m.Explain())
			}
			if m.SendBudget > 32 != k.since(6, 17) {
				t.Errorf("Linux %v sends %d packets at a time", k, m.SendBudget)
			}
			if m.Checksums != k.since(6, 11) || strings.Contains(m.Explain(), "\nnot checksum offload: ") == m.Checksums {
				t.Errorf("Linux %v: %s", k, m.Explain())
			}
			// A packet that takes several chunks is lost where it may not, and those around it are not.
			from, to := b.listen("a", b.addr4("a")), d.Sockets()[0]
			for i := range 10 {
				small, large, out := text(1000, uint64(i)), text(8000, uint64(100+i)), text(1000, uint64(200+i))
				say(t, from, large, b.addr4("b"))
				say(t, from, small, b.addr4("b"))
				if m.Segments {
					expect(t, large, to)
				}
				expect(t, small, to)
				send(t, to, b.datagram("b", "a", false, out))
				hear(t, from, out)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			_, ends := b.summing("b", attach, m.Checksums)
			six := b.listen("a", b.addr6("a"))
			sayAll(t, ends[true], b.addr6("a"), "summed by whoever can")
			hear(t, six, []byte("summed by whoever can"))
		})
	}
}

// The kernel's pages are where they are asked to be, not where whoever opens or uses them runs.
func TestGuestXDPChunksLieOnTheirNode(t *testing.T) {
	guest(t)
	machine, err := numa.Local()
	if err != nil {
		t.Fatal(err)
	}
	if len(machine.Nodes) != 2 {
		t.Fatalf("%d nodes", len(machine.Nodes))
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct {
		pools [2]int // of huge pages, each node's
		bind  bool
		node  int // that the memory is on
		runs  int // node of the CPU that opens and uses it
		huge  bool
	}{
		{node: 0, runs: 0}, {node: 1, runs: 1}, // unbound it is on the CPU's
		{bind: true, node: 0, runs: 1}, {bind: true, node: 1, runs: 0}, {bind: true, node: 1, runs: 1},
		{pools: [2]int{8, 8}, bind: true, node: 0, runs: 1, huge: true},
		{pools: [2]int{8, 8}, bind: true, node: 1, runs: 0, huge: true},
		{pools: [2]int{8, 0}, bind: true, node: 1, runs: 0}, // rather normal pages there than huge ones elsewhere
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			for node, pages := range c.pools {
				setPool(t, node, pages)
			}
			o := Options{Interface: "lo", Ports: []uint16{port}, HugePages: c.pools != [2]int{}, Bind: c.bind, Node: c.node}
			loop := numa.Loop{Name: "carry", CPUs: machine.CPUs(c.runs)[:1]}
			err := loop.Run(t.Context(), once(func() {
				d := carryOnLoopback(t, o)
				places, err := numa.Placement(d.memory.All())
				if want := map[int]int{c.node: len(d.memory.All()) / os.Getpagesize()}; err != nil || !maps.Equal(places, want) {
					t.Errorf("pages lie %v, not %v: %v", places, want, err)
				}
				if d.Mode().HugePages != c.huge || strings.Contains(d.Mode().Explain(), "\nnot huge pages: ") != (o.HugePages && !c.huge) {
					t.Error(d.Mode().Explain())
				}
			}))
			if !errors.Is(err, errOnce) {
				t.Error(err)
			}
		})
	}
}

// setPool sets how many huge pages a node keeps, until the test ends.
func setPool(t *testing.T, node, pages int) {
	t.Helper()
	path := fmt.Sprintf("/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node)
	set := func(pages int) {
		t.Helper()
		// The kernel is still letting go of a closed socket's memory.
		for deadline := time.Now().Add(patience); ; {
			err := os.WriteFile(path, []byte(strconv.Itoa(pages)), 0)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err == nil && strings.TrimSpace(string(got)) == strconv.Itoa(pages) {
				return
			}
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("node %d keeps %s huge pages, not %d: %v", node, got, pages, err)
			}
		}
	}
	set(pages)
	t.Cleanup(func() { set(0) })
}

// carryOnLoopback opens a device, and has all its receive chunks used from the kernel's socket and from its own.
func carryOnLoopback(t *testing.T, o Options) *Device {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	from, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, none := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), make(net.HardwareAddr, 6)
	for i := range DefaultReceiveChunks/2 + 10 {
		in, out := fmt.Appendf(nil, "%d, the kernel's own", i), fmt.Appendf(nil, "%d, sent from a chunk", i)
		say(t, from, in, to)
		expect(t, in, d.Sockets()[0])
		send(t, d.Sockets()[0], datagram(none, none, netipPort(to, 1), to, out))
		expect(t, out, d.Sockets()[0])
	}
	return d
}

var errOnce = errors.New("done")

// once is a worker that works once.
type once func()

func (o once) Do() (int, error) { o(); return 0, errOnce }
