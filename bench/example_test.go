package bench_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/bench"
)

// A short run of the smallest workload. A program that is no "pulse" names the command that serves as far side, or, as here, takes a
// thread of its own.
func ExamplePingPong_Run() {
	w := bench.PingPong{Setup: bench.Setup{For: 50 * time.Millisecond, Slice: 2 * time.Millisecond, InProcess: true}}
	r, err := w.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Workload, r.Processes, r.Subject.P50 > 0, r.Ratio["line"].P50.Median > 0)
	// Output: ring/pingpong 1 true true
}

func ExampleThroughput_Run() {
	w := bench.Throughput{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

// Over UDP both sides may also live in network namespaces of their own: Net is bench.NetVeth then.
func ExampleUDPPingPong_Run() {
	w := bench.UDPPingPong{Setup: bench.Setup{For: 50 * time.Millisecond, Slice: 2 * time.Millisecond, InProcess: true}}
	r, err := w.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Workload, r.Subject.P50 > 0, r.Ratio["raw"].P50.Median > 0, r.Ratio["netudp"].P50.Median > 0)
	// Output: udp/pingpong true true true
}

func ExampleUDPThroughput_Run() {
	w := bench.UDPThroughput{Setup: bench.Setup{Net: "pigeons"}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: network "pigeons": it is loopback or veth
}

func ExampleUDPSealed_Run() {
	w := bench.UDPSealed{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 256 bytes
}

func ExampleTCPPingPong_Run() {
	w := bench.TCPPingPong{Setup: bench.Setup{Net: "pigeons"}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: network "pigeons": it is loopback or veth
}

func ExampleTCPThroughput_Run() {
	w := bench.TCPThroughput{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

func ExampleTCPPublish_Run() {
	w := bench.TCPPublish{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

func ExampleTCPFanOut_Run() {
	w := bench.TCPFanOut{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

func ExampleQUICPingPong_Run() {
	w := bench.QUICPingPong{Setup: bench.Setup{Net: "veth"}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: over QUIC the network is loopback
}

func ExampleQUICThroughput_Run() {
	w := bench.QUICThroughput{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 1024 bytes
}

func ExampleQUICPublish_Run() {
	w := bench.QUICPublish{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

func ExampleCompare_Run() {
	w := bench.Compare{Setup: bench.Setup{Size: 100}}
	_, err := w.Run(context.Background())
	fmt.Println(errors.Is(err, bench.ErrSetup), err)
	// Output: true bench: bad setup: this workload and its baselines carry 64 bytes
}

func ExampleNew() {
	for _, name := range bench.Names() {
		w, err := bench.New(name, bench.Setup{Rate: -1})
		if err != nil {
			fmt.Println(err)
			return
		}
		switch w := w.(type) {
		case bench.FanOut:
			fmt.Println(name, w.Setup.Rate)
		case bench.OneWay:
			_, err := w.Run(context.Background())
			fmt.Println(name, err)
		}
	}
	// Output:
	// ring/fanout -1
	// ring/oneway bench: bad setup: rate -1 is not within 0 and 5000000 messages per second
}

func ExampleReport_WriteTable() {
	r := bench.Report{
		Workload: "ring/fanout", Commit: "1a2b3c4", Seed: 7, Seconds: 10, Rounds: 90, SliceNS: 25_000_000, Processes: 2,
		Subject:   bench.Figures{PerSec: 52e6},
		Baselines: map[string]bench.Figures{"one": {PerSec: 80e6, Latency: &bench.Latency{P50: 120, P90: 150, P99: 300, P999: 900, Max: 2_000_000}}},
		Ratio:     map[string]bench.Ratio{"one": {PerSec: &bench.Spread{Median: 0.65, Lo: 0.6, Hi: 0.7, Pairs: 90}}},
		Variants:  map[string]bench.Variant{},
		Host:      bench.Host{Name: "h", Processors: 2, CPU: "C", OS: "linux", Kernel: "6.1", Go: "go1", Pins: []int{0, 1}, Pinned: true, Clock: "tsc", ClockHz: 2e9},
		GC:        bench.GC{Cycles: 1, Pauses: 2, MaxNS: 30_000},
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ring/fanout  10.0 s, 90 rounds of 25 ms slices, 2 process(es), seed 7, commit 1a2b3c4
	// h, 2 × C, linux 6.1, go1, pinned to 0 1, clock tsc 2000 MHz; others used 0 % of the machine, 0 % stolen
	//
	//      lane     p50     p90     p99   p99.9  p99.99     max  per second  allocs/op
	//   subject       –       –       –       –       –       –     52.00 M          0
	//       one  120 ns  150 ns  300 ns  900 ns       –  2.0 ms     80.00 M          0
	//
	// ratios of slices of the same round, median [10 % … 90 %]
	//   subject / one  rate 0.65 [0.6 … 0.7]
	//
	// gc: 1 cycles, 2 pauses, longest 30.0 µs
}

func ExampleSheet_WriteFiles() {
	h := hdrhistogram.New(1, 10_000_000_000, 3)
	_ = h.RecordValue(1500) // within the range
	start := time.Unix(1_700_000_000, 0)
	sheet := bench.Sheet{
		Name: "door", Started: start, Head: []string{"", "p50", "p90", "p99", "p99.9", "p99.99", "max"},
		Rows:   [][]string{append([]string{"bell"}, bench.LatencyOf(h).Cells()...)},
		Series: []bench.Series{{Name: "bell", Total: h, Log: []bench.Interval{{From: start, To: start.Add(time.Second), Hist: h}}}},
	}
	dir, err := os.MkdirTemp("", "sheet")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	paths, err := sheet.WriteFiles(dir, []byte("{}\n"))
	for _, p := range paths {
		fmt.Println(filepath.Base(p))
	}
	fmt.Println(sheet.Rows[0], err)
	// Output:
	// door.json
	// door.html
	// door.hlog
	// door-bell.hgrm
	// [bell 1.5 µs 1.5 µs 1.5 µs 1.5 µs – 1.5 µs] <nil>
}
