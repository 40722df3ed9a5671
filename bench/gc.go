package bench

import (
	"math"
	"runtime"
	"runtime/metrics"
)

// GC says what the garbage collector of the near process did while lanes were measured.
type GC struct {
	Cycles  uint64 `json:"cycles"`
	Pauses  uint64 `json:"pauses"`
	MaxNS   int64  `json:"max_pause_ns"` // upper edge of the runtime's bucket
	P50NS   int64  `json:"p50_pause_ns"`
	HeapKiB uint64 `json:"heap_kib"`
}

const (
	gcCycles = "/gc/cycles/total:gc-cycles"
	gcPauses = "/sched/pauses/total/gc:seconds"
	gcHeap   = "/memory/classes/heap/objects:bytes"
)

// gcReading is the collector's counters at one moment.
type gcReading struct {
	cycles, heap uint64
	counts       []uint64
	buckets      []float64 // seconds
}

func readGC() gcReading {
	s := []metrics.Sample{{Name: gcCycles}, {Name: gcPauses}, {Name: gcHeap}}
	metrics.Read(s)
	var r gcReading
	if s[0].Value.Kind() == metrics.KindUint64 {
		r.cycles = s[0].Value.Uint64()
	}
	if s[1].Value.Kind() == metrics.KindFloat64Histogram {
		h := s[1].Value.Float64Histogram()
		r.counts = append(r.counts, h.Counts...)
		r.buckets = append(r.buckets, h.Buckets...)
	}
	if s[2].Value.Kind() == metrics.KindUint64 {
		r.heap = s[2].Value.Uint64()
	}
	return r
}

// since returns what happened between before and r.
func (r gcReading) since(before gcReading) GC {
	g := GC{Cycles: r.cycles - before.cycles, HeapKiB: r.heap >> 10}
	grown := make([]uint64, len(r.counts))
	for i, n := range r.counts {
		if i < len(before.counts) {
			n -= before.counts[i]
		}
		grown[i] = n
		g.Pauses += n
	}
	var seen uint64
	for i, n := range grown {
		if n == 0 {
			continue
		}
		edge := r.buckets[i+1]
		if math.IsInf(edge, 1) {
			edge = r.buckets[i]
		}
		if seen*2 < g.Pauses {
			g.P50NS = int64(edge * 1e9)
		}
		seen += n
		g.MaxNS = int64(edge * 1e9)
	}
	return g
}

// mallocs returns how many objects this process has allocated so far. It stops the world for some microseconds, so it is called
// only between slices.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
