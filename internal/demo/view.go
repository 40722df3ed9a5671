package demo

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/bench"
)

var head = []string{"", "sent", "delivered", "gaps", "repeated", "reordered", "corrupt", "p50", "p90", "p99", "p99.9", "p99.99", "max"}

// rows are the ways as tables show them.
func (r *Report) rows() (all [][]string) {
	for _, h := range append(append([]Hop(nil), r.Hops...), r.EndToEnd) {
		cells := []string{h.Name}
		for _, n := range []uint64{h.Sent, h.Delivered, h.Gaps, h.Repeated, h.Reordered, h.Corrupt} {
			cells = append(cells, strconv.FormatUint(n, 10))
		}
		all = append(all, append(cells, h.Latency.Cells()...))
	}
	late := append([]string{"feed late"}, strings.Split(strings.Repeat("\t", 5), "\t")...)
	return append(all, append(late, r.Lateness.Cells()...))
}

// facts say where and when.
func (r *Report) facts() [][2]string {
	var processes []string
	for _, p := range r.Processes {
		processes = append(processes, p.String())
	}
	facts := [][2]string{{"verdict", r.verdict()}, {"processes", strings.Join(processes, "; ")}}
	if r.UDP != nil {
		facts = append(facts, [2]string{"UDP", r.UDP.String()})
	}
	return append(facts, [][2]string{
		{"pace", r.Pace},
		{"seed", strconv.FormatUint(r.Seed, 10)},
		{"machine", fmt.Sprintf("%s, %d × %s, %s %s, %s", r.Host.Name, r.Host.Processors, r.Host.CPU, r.Host.OS, r.Host.Kernel, r.Host.Go)},
		{"commit", r.Commit},
		{"run", fmt.Sprintf("%.1f s from %s", r.Seconds, r.Started.UTC().Format("2006-01-02 15:04:05 MST"))},
	}...)
}

// String says what became of a process.
func (p Process) String() string {
	s := fmt.Sprintf("%s %d", p.Name, p.PID)
	if p.Restarts > 0 {
		s += fmt.Sprintf(", killed and started again %d times", p.Restarts)
	}
	if p.Waits > 0 {
		s += fmt.Sprintf(", ring full %d times", p.Waits)
	}
	return s
}

func (r *Report) verdict() string {
	if !r.Verified {
		return strings.Join(r.Faults, "; ")
	}
	s := "every message accounted for, in order, checksums right"
	if r.Repeated > 0 {
		s += fmt.Sprintf("; %d came again after a kill and were recognised", r.Repeated)
	}
	return s
}

// WriteTable writes the report for a terminal.
func (r *Report) WriteTable(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range append([][]string{head}, r.rows()...) {
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	_ = t.Flush() // a buffer takes everything
	fmt.Fprintln(&b)
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range r.facts() {
		fmt.Fprintf(t, "%s\t%s\n", f[0], f[1])
	}
	_ = t.Flush()
	_, err := w.Write(b.Bytes())
	return err
}

// WriteFiles writes demo.json, demo.html, demo.hlog and a .hgrm per distribution into dir and returns their paths.
func (r *Report) WriteFiles(dir string) ([]string, error) {
	var text bytes.Buffer
	if err := r.WriteJSON(&text); err != nil {
		return nil, err
	}
	s := bench.Sheet{
		Name:    "demo",
		Note:    "Latency counts from the instant at which a trade was meant to leave, so a late feed and a full ring are in it.",
		Comment: fmt.Sprintf("demo commit %s seed %d on %s", r.Commit, r.Seed, r.Host.Name),
		Started: r.Started, Head: head, Rows: r.rows(), Facts: r.facts(),
	}
	for i, one := range series {
		if r.total[i] != nil {
			s.Series = append(s.Series, bench.Series{Name: one.name, Total: r.total[i], Log: r.log[i]})
		}
	}
	return s.WriteFiles(dir, text.Bytes())
}

// Lines are the live view: for each way the counts so far and the last second's latencies, the same few lines each time.
func (r *Report) Lines() (lines []string) {
	ways := append(append([]Hop(nil), r.Hops...), r.EndToEnd)
	for i, h := range ways {
		line := fmt.Sprintf("%5.0f s  %-14s %11d delivered", r.Seconds, h.Name, h.Delivered)
		if n := h.Repeated + h.Reordered + h.Corrupt; n > 0 {
			line += fmt.Sprintf("  %d repeated, %d reordered, %d corrupt", h.Repeated, h.Reordered, h.Corrupt)
		}
		if log := r.log[i]; len(log) > 0 {
			last := log[len(log)-1].Hist
			c := bench.LatencyOf(last).Cells()
			line += fmt.Sprintf("  %s  p50 %s  p99 %s  max %s", bars(last), c[0], c[2], c[5])
		}
		lines = append(lines, line)
	}
	if r.UDP != nil {
		lines = append(lines, fmt.Sprintf("%5.0f s  UDP: %s", r.Seconds, r.UDP))
	}
	return lines
}

const (
	barsFrom = 9  // 2^9 ns, half a microsecond: the first bar has all below
	barsTo   = 27 // 2^27 ns, an eighth of a second: the last bar has all above
)

// bars draws a histogram in a line, a bar per doubling. A bar's height grows with the count's magnitude, so that rare
// things show too.
func bars(h *hdrhistogram.Histogram) string {
	var counts [barsTo - barsFrom + 1]int64
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			at := min(max(bits.Len64(uint64(b.To)), barsFrom), barsTo) - barsFrom
			counts[at] += b.Count
		}
	}
	most := bits.Len64(uint64(h.TotalCount()))
	text := make([]rune, len(counts))
	for i, n := range counts {
		text[i] = ' '
		if n > 0 {
			text[i] = []rune("▁▂▃▄▅▆▇█")[7*bits.Len64(uint64(n))/max(most, 1)]
		}
	}
	return "|" + string(text) + "|"
}
