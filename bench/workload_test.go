package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
	"github.com/alphapulse/transport/internal/check"
)

// contract is what others script against: keys that a workload's JSON object must have, with dots for nesting.
var contract = map[string][]string{
	"ring/pingpong": {
		"subject.p50_ns", "subject.p90_ns", "subject.p99_ns", "subject.p999_ns", "subject.max_ns", "subject.per_sec",
		"baselines.line.p50_ns", "baselines.unix.p50_ns", "baselines.unix.max_ns",
		"ratio.line.p50.median", "ratio.line.p50.lo", "ratio.line.p50.hi", "ratio.line.p99.median", "ratio.line.per_sec.median",
		"ratio.unix.p50.median", "variants.64B.subject.p50_ns", "variants.64B.ratio.line.p50.median",
		"baselines.slots.p50_ns", "ratio.slots.p50.median", "ratio.slots.p99.hi", "baselines.slots-64B.p50_ns",
		"variants.64B.ratio.slots-64B.p50.median",
	},
	"ring/throughput": {
		"subject.per_sec", "baselines.slots.per_sec", "baselines.slots-each.per_sec", "baselines.channel.per_sec",
		"ratio.slots.per_sec.median", "ratio.slots.per_sec.lo", "ratio.slots.per_sec.hi", "ratio.channel.per_sec.median",
		"variants.each.subject.per_sec", "variants.each.ratio.slots.per_sec.median", "variants.each.ratio.slots-each.per_sec.median",
	},
	"ring/fanout": {
		"subject.per_sec", "baselines.one.per_sec", "ratio.one.per_sec.median", "variants.1.subject.per_sec",
		"variants.2.ratio.one.per_sec.median", "variants.4.ratio.one.per_sec.median", "variants.8.ratio.one.per_sec.hi",
	},
	"ring/oneway": {
		"subject.p50_ns", "subject.p99_ns", "subject.max_ns", "subject.per_sec", "rate",
		"baselines.slots.p50_ns", "ratio.slots.p50.median", "ratio.slots.p99.median",
	},
	"udp/pingpong": {
		"subject.p50_ns", "subject.p99_ns", "subject.max_ns", "subject.per_sec", "subject.lost", "baselines.raw.p50_ns", "baselines.netudp.p50_ns",
		"ratio.raw.p50.median", "ratio.raw.p50.lo", "ratio.raw.p99.median", "ratio.netudp.p50.median",
	},
	"udp/throughput": {
		"subject.per_sec", "subject.lost", "baselines.raw.per_sec", "baselines.raw.lost", "baselines.netudp.per_sec", "baselines.raw-separate.per_sec",
		"ratio.raw.per_sec.median", "ratio.raw.per_sec.lo", "ratio.netudp.per_sec.median", "variants.separate.subject.per_sec",
		"variants.separate.ratio.raw-separate.per_sec.median", "variants.separate.ratio.netudp.per_sec.median",
		"variants.256B.ratio.raw-256B.per_sec.median", "variants.1KiB.ratio.raw-1KiB.per_sec.median",
	},
	"udp/sealed": {
		"subject.per_sec", "subject.lost", "baselines.raw.per_sec", "ratio.raw.per_sec.median", "baselines.raw-plain.per_sec",
		"variants.plain.subject.per_sec", "variants.plain.ratio.raw-plain.per_sec.median", "variants.pingpong.subject.p50_ns",
		"variants.pingpong.ratio.raw-pingpong.p50.median",
	},
	"tcp/sealed": {
		"subject.per_sec", "baselines.nettls.per_sec", "baselines.nettls-each.per_sec", "baselines.plain.per_sec", "ratio.nettls.per_sec.median",
		"ratio.nettls.per_sec.lo", "ratio.nettls-each.per_sec.median", "ratio.plain.per_sec.median", "variants.pingpong.subject.p50_ns",
		"variants.pingpong.ratio.nettls-pingpong.p50.median", "variants.pingpong.ratio.plain-pingpong.p50.median",
	},
	"tcp/pingpong": {
		"subject.p50_ns", "baselines.rawtcp.p50_ns", "baselines.nettcp.p50_ns", "ratio.rawtcp.p50.median", "ratio.nettcp.p50.median",
	},
	"tcp/throughput": {
		"subject.per_sec", "ratio.rawtcp.per_sec.median", "ratio.gather.per_sec.median", "ratio.nettcp.per_sec.median",
		"variants.1KiB.ratio.rawtcp-1KiB.per_sec.median",
	},
	"tcp/publish":   {"subject.p50_ns", "baselines.local.p50_ns", "ratio.local.p50.median"},
	"tcp/fanout":    {"subject.p50_ns", "baselines.all.p50_ns", "ratio.all.p50.median"},
	"quic/pingpong": {"subject.p50_ns", "baselines.quicgo.p50_ns", "ratio.quicgo.p50.median"},
	"quic/throughput": {
		"subject.per_sec", "ratio.quicgo.per_sec.median", "ratio.quicgo-each.per_sec.median", "variants.64B.ratio.quicgo-64B.per_sec.median",
	},
	"quic/publish": {"subject.p50_ns", "baselines.local.p50_ns", "ratio.local.p50.median"},
	"mq/journal": {
		"subject.per_sec", "baselines.bare.per_sec", "ratio.bare.per_sec.median", "ratio.bare.per_sec.lo", "variants.1KiB.subject.per_sec",
		"variants.1KiB.ratio.bare-1KiB.per_sec.median", "variants.1KiB.ratio.each-1KiB.per_sec.median", "variants.os-crash.ratio.bare-os-crash.per_sec.median",
		"variants.ring.ratio.bare.per_sec.median",
	},
	"mq/redis": {
		"subject.per_sec", "baselines.bare.per_sec", "ratio.bare.per_sec.median", "ratio.bare.per_sec.lo", "variants.ring.subject.per_sec",
		"variants.ring.ratio.bare.per_sec.median",
	},
	"mq/kafka": {
		"subject.per_sec", "baselines.bare.per_sec", "ratio.bare.per_sec.median", "ratio.bare.per_sec.lo", "variants.ring.subject.per_sec",
		"variants.ring.ratio.bare.per_sec.median",
	},
	"mq/rabbitmq": {
		"subject.per_sec", "baselines.bare.per_sec", "ratio.bare.per_sec.median", "ratio.bare.per_sec.lo", "variants.ring.subject.per_sec",
		"variants.ring.ratio.bare.per_sec.median",
	},
	"compare": {
		"subject.p50_ns", "baselines.local.p50_ns", "ratio.local.p50.median", "ratio.local.p50.lo", "ratio.local.p50.hi", "ratio.local-naps.p50.median",
		"variants.ring.subject.per_sec", "variants.ring.subject.p50_ns", "variants.tcp.subject.per_sec", "variants.tcp.subject.p99_ns",
		"variants.tcp.ratio.ring.p50.median", "variants.tcp.ratio.ring.per_sec.median", "variants.publish-tcp.ratio.local.p50.median",
		"variants.journal.subject.per_sec", "variants.journal.subject.p50_ns", "variants.journal.ratio.ring.p99.median",
	},
	"udp/fanout": {
		"subject.p50_ns", "subject.p99_ns", "subject.max_ns", "subject.per_sec", "subject.lost", "rate", "baselines.all.p50_ns", "baselines.three.p50_ns",
		"ratio.all.p50.median", "ratio.all.p50.lo", "ratio.all.p99.median", "ratio.three.p50.median", "variants.full.ratio.all.p50.median",
		"variants.full.ratio.three.p50.median", "variants.woken.subject.p50_ns", "variants.woken.ratio.all.p50.median",
	},
}

var always = []string{
	"workload", "allocs_per_op", "commit", "seed", "host.name", "host.cpu", "host.kernel", "host.go", "host.pins", "host.clock",
	"host.foreign_cpu", "ratio_quantiles.lo", "ratio_quantiles.hi", "gc.cycles", "gc.max_pause_ns", "rounds", "processes",
}

func TestEveryWorkloadKeepsTheContract(t *testing.T) {
	for _, name := range Names() {
		for _, inProcess := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " in one process ", inProcess), func(t *testing.T) {
				s := brief()
				s.InProcess = inProcess
				keepsContract(t, name, s)
			})
		}
	}
}

func keepsContract(t *testing.T, name string, s Setup) {
	w, err := New(name, s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Run(t.Context())
	if errors.Is(err, brokers.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	if bytes.Count(text.Bytes(), []byte("\n")) != 1 {
		t.Error("the JSON object is not one line")
	}
	var got any
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range append(slices.Clone(always), contract[name]...) {
		if _, ok := dig(got, strings.Split(key, ".")); !ok {
			t.Errorf("no %s in %s", key, text.String())
		}
	}
	if r.Seed != s.Seed || r.Workload != name {
		t.Errorf("workload %s seed %d", r.Workload, r.Seed)
	}
	if !check.On && r.Allocs > 0.001 && !othersAllocate(name) {
		t.Errorf("%g allocations per message", r.Allocs)
	}
}

// dig follows keys into decoded JSON.
func dig(v any, keys []string) (any, bool) {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[k]; !ok {
			return nil, false
		}
	}
	return v, true
}

func TestOneMessageSizeOnlyWhereBaselinesHaveOne(t *testing.T) {
	s := brief()
	s.Size = 200
	for _, name := range []string{"ring/throughput", "ring/fanout", "ring/oneway"} {
		w, err := New(name, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Run(t.Context()); !errors.Is(err, ErrSetup) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := PingPong{s}.Run(t.Context())
	if err != nil || r.Subject.P50 == 0 {
		t.Fatal(r, err)
	}
}

func TestSetupTellsEveryFault(t *testing.T) {
	s := Setup{For: -1, Rate: -1, Size: 5, CPUs: []int{0, 1, -2}, Slice: -1}
	_, err := PingPong{s}.Run(t.Context())
	if !errors.Is(err, ErrSetup) {
		t.Fatal(err)
	}
	for _, part := range []string{"time", "rate", "size", "processors", "processor -2", "slice"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention the %s", err, part)
		}
	}
	if _, err := New("ring/nothing", Setup{}); !errors.Is(err, ErrSetup) || !strings.Contains(err.Error(), "ring/oneway") {
		t.Error(err)
	}
}

func TestProcessorThatIsNotThereIsAnError(t *testing.T) {
	s := brief()
	s.CPUs = []int{0, 8000}
	if !canPin() {
		t.Skip("this system does not pin threads")
	}
	if _, err := (OneWay{s}).Run(t.Context()); !errors.Is(err, ErrPeer) || !strings.Contains(err.Error(), "8000") {
		t.Error(err)
	}
	s.CPUs = []int{8000, 0}
	if _, err := (OneWay{s}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "8000") {
		t.Error(err)
	}
}

func TestCancelledRunEnds(t *testing.T) {
	s := brief()
	s.For = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := (PingPong{s}).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestFailingFarSideIsAnErrorAndNotAHang(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const short, long = 300 * time.Millisecond, 30 * time.Second // who is gone is no question of patience
	for _, c := range []struct {
		peer     []string
		want     error
		patience time.Duration
	}{
		{[]string{self, peerKilled}, ErrPeer, long},
		{[]string{self, peerStopped}, ErrSilent, short},
		{[]string{self, peerBabbles}, ErrPeer, long},
		{[]string{self, peerMute}, ErrSilent, short},
	} {
		for _, name := range []string{"ring/pingpong", "ring/throughput", "ring/oneway", "udp/pingpong", "udp/throughput", "udp/sealed", "udp/fanout"} {
			t.Run(c.peer[1]+" "+name, func(t *testing.T) {
				t.Parallel()
				s := brief()
				s.For, s.Peer, s.patience = time.Hour, c.peer, c.patience
				w, err := New(name, s)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Run(t.Context()); !errors.Is(err, c.want) {
					t.Errorf("%v instead of %v", err, c.want)
				}
			})
		}
	}
}

func TestFarSideThatCannotStartIsAnError(t *testing.T) {
	s := brief()
	s.Peer = []string{"/nonexistent/pulse"}
	if _, err := (PingPong{s}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "far side") {
		t.Error(err)
	}
}

// othersAllocate reports whether a workload's messages pass a library that allocates, of which we only say how much.
func othersAllocate(name string) bool {
	return strings.HasPrefix(name, "quic/") || strings.HasPrefix(name, "mq/") && name != "mq/journal" || name == "tcp/sealed"
}
