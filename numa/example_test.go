package numa_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/alphapulse/transport/numa"
)

// counter is a worker that works off what others add and can be woken.
type counter struct {
	word  uint32 // what loops sleep on
	added atomic.Int64
	done  int64
	stop  context.CancelFunc
}

// Add makes the work visible first and wakes after.
func (c *counter) Add(n int64) error {
	c.added.Add(n)
	return numa.Wake(&c.word)
}

func (c *counter) Do() (int, error) {
	n := c.added.Load() - c.done
	c.done += n
	if c.done == 3 {
		c.stop()
	}
	return int(n), nil
}

// Arm reads the word first and looks for work after.
func (c *counter) Arm() (word *uint32, value uint32, ok bool) {
	value = atomic.LoadUint32(&c.word)
	return &c.word, value, c.added.Load() == c.done
}

func ExampleLoop() {
	ctx, stop := context.WithCancel(context.Background())
	c := &counter{stop: stop}
	go func() {
		for range 3 {
			if err := c.Add(1); err != nil {
				fmt.Println(err)
			}
		}
	}()
	loop := numa.Loop{Name: "strategy"} // CPUs: []int{3} would pin it
	err := loop.Run(ctx, c)
	fmt.Println(c.done, errors.Is(err, context.Canceled))
	// Output: 3 true
}

func ExampleSleeper() {
	var s numa.Sleeper = new(counter)
	_, _, ok := s.Arm()
	fmt.Println("may sleep:", ok)
	if err := s.(*counter).Add(1); err != nil {
		fmt.Println(err)
	}
	_, _, ok = s.Arm()
	fmt.Println("may sleep:", ok)
	// Output:
	// may sleep: true
	// may sleep: false
}

// fanIn is a worker with several places that bring it work.
type fanIn []*counter

func (f fanIn) Do() (done int, err error) {
	for _, c := range f {
		n, err := c.Do()
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

func (f fanIn) Sleepers() []numa.Sleeper {
	places := make([]numa.Sleeper, len(f)) // a real worker keeps the slice
	for i, c := range f {
		places[i] = c
	}
	return places
}

func ExampleGroup() {
	ctx, stop := context.WithCancel(context.Background())
	var g numa.Group = fanIn{{stop: stop}, {stop: stop}}
	f := g.(fanIn)
	go func() {
		if err := f[1].Add(3); err != nil { // wakes the loop by the second word
			fmt.Println(err)
		}
	}()
	err := new(numa.Loop).Run(ctx, f)
	fmt.Println(f[1].done, err)
	// Output: 3 context canceled
}

func ExampleIdle() {
	// A strategy on an isolated core of its own: never gives the core back.
	own := numa.Loop{Name: "strategy", CPUs: []int{3}, Idle: numa.Idle{Deepest: numa.Spin}}
	// A recorder that may be late: no spinning, at most 5 ms asleep.
	late := numa.Loop{Name: "recorder", Idle: numa.Idle{Spins: -1, Yields: -1, Nap: 5 * time.Millisecond}}
	// A loop with a real-time priority has to sleep when there is nothing to do.
	bad := numa.Loop{Name: "rx", FIFO: 10, Idle: numa.Idle{Deepest: numa.Spin}}
	fmt.Println(own.Idle.Deepest, late.Idle.Deepest)
	fmt.Println(bad.Run(context.Background()))
	// Output:
	// spin park
	// numa: loop "rx": a SCHED_FIFO loop must park
}

func ExampleMachine() {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	m, err := numa.Read(fstest.MapFS{ // numa.Local() reads the machine at hand
		"sys/devices/system/cpu/online":                       file("0-7"),
		"sys/devices/system/cpu/cpu4/topology/core_cpus_list": file("4,6"),
		"sys/devices/system/cpu/cpu5/topology/core_cpus_list": file("5,7"),
		"sys/devices/system/cpu/cpu6/topology/core_cpus_list": file("4,6"),
		"sys/devices/system/cpu/cpu7/topology/core_cpus_list": file("5,7"),
		"sys/devices/system/node/online":                      file("0-1"),
		"sys/devices/system/node/node0/cpulist":               file("0-3"),
		"sys/devices/system/node/node1/cpulist":               file("4-7"),
		"sys/class/net/eth0/device/numa_node":                 file("1"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	node := m.NICNode("eth0")
	cpus, err := m.Spread(2, node)
	fmt.Println("node", node, "has CPUs", numa.FormatCPUs(m.CPUs(node)))
	fmt.Println("two loops go to", cpus, err)
	// Output:
	// node 1 has CPUs 4-7
	// two loops go to [4 5] <nil>
}

func ExampleCPU() {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	m, err := numa.Read(fstest.MapFS{
		"sys/devices/system/cpu/online":                            file("0-2"),
		"sys/devices/system/cpu/isolated":                          file("1"),
		"sys/devices/cpu_core/cpus":                                file("0-1"),
		"sys/devices/cpu_atom/cpus":                                file("2"),
		"sys/devices/system/cpu/cpu1/cache/index0/level":           file("1"),
		"sys/devices/system/cpu/cpu1/cache/index0/type":            file("Data"),
		"sys/devices/system/cpu/cpu1/cache/index0/size":            file("48K"),
		"sys/devices/system/cpu/cpu1/cache/index0/shared_cpu_list": file("1"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range m.Processors {
		fmt.Println("CPU", c.ID, c.Kind, "isolated:", c.Isolated)
		for _, cache := range c.Caches {
			fmt.Printf("  L%d %s, %d bytes, shared by CPUs %s\n", cache.Level, cache.Type, cache.Size, numa.FormatCPUs(cache.CPUs))
		}
	}
	// Output:
	// CPU 0 performance isolated: false
	// CPU 1 performance isolated: true
	//   L1 Data, 49152 bytes, shared by CPUs 1
	// CPU 2 efficiency isolated: false
}

func ExampleNode() {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	m, err := numa.Read(fstest.MapFS{
		"sys/devices/system/cpu/online":                                           file("0-3"),
		"sys/devices/system/node/online":                                          file("0-1"),
		"sys/devices/system/node/node0/cpulist":                                   file("0-1"),
		"sys/devices/system/node/node0/distance":                                  file("10 21"),
		"sys/devices/system/node/node1/cpulist":                                   file("2-3"),
		"sys/devices/system/node/node1/distance":                                  file("21 10"),
		"sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages":   file("512"),
		"sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages": file("500"),
		"sys/class/net/eth0/device/numa_node":                                     file("1"),
		"sys/class/net/lo/type":                                                   file("772"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range m.Nodes {
		fmt.Println("node", n.ID, "CPUs", n.CPUs, "distances", n.Distances)
		for _, pool := range n.Huge {
			fmt.Println("  pages of", pool.Size, "bytes:", pool.Total, "free:", pool.Free)
		}
	}
	for _, nic := range m.NICs {
		fmt.Println(nic.Name, "is at a known node:", nic.Node != numa.AnyNode)
	}
	// Output:
	// node 0 CPUs [0 1] distances [10 21]
	// node 1 CPUs [2 3] distances [21 10]
	//   pages of 2097152 bytes: 512 free: 500
	// eth0 is at a known node: true
	// lo is at a known node: false
}

// ticker is a worker that borrows the loop's clock instead of reading its own.
type ticker struct {
	now, due time.Time
	stop     context.CancelFunc
}

func (t *ticker) SetNow(now time.Time) { t.now = now }

func (t *ticker) Do() (int, error) {
	if t.due.IsZero() {
		t.due = t.now.Add(time.Microsecond)
	}
	if t.now.Before(t.due) {
		return 0, nil
	}
	t.stop()
	return 1, nil
}

func ExampleClocked() {
	ctx, stop := context.WithCancel(context.Background())
	t := &ticker{stop: stop}
	var clocked numa.Clocked = t
	clocked.SetNow(time.Unix(0, 0)) // the loop does this once per cycle
	err := new(numa.Loop).Run(ctx, t)
	fmt.Println(err, !t.now.Before(t.due))
	// Output: context canceled true
}

func ExamplePlacement() {
	mem := make([]byte, 1<<20) // a ring's mapping in real life
	mem[0] = 1
	pages, err := numa.Placement(mem[:1])
	if err != nil { // not on Linux, or forbidden in this container
		pages = map[int]int{0: 1}
	}
	fmt.Println("one page lies on one node:", len(pages) == 1)
	// Output: one page lies on one node: true
}
