package bench

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file reads histogram logs by the published format alone (1.3, payloads in the compressed V2 encoding). It shares nothing with
// the library that writes them.

// hdrCounts is a histogram as its payload has it: how many values lie in each bucket, by the bucket's index.
type hdrCounts struct {
	digits           int
	lowest, highest  int64
	unit, halfLog    int // log2 of the smallest difference, and of half the number of buckets of a magnitude
	counts           map[int]int64
	total            int64
	smallest, widest int // indices
}

// decodeHDR reads a payload: base64 around a cookie, a length and a zlib stream, in which lie a head of 40 bytes and the counts in
// ZigZag LEB128, of which a negative one stands for that many empty buckets.
func decodeHDR(coded string) (*hdrCounts, error) {
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(raw) < 8 || binary.BigEndian.Uint32(raw) != 0x1c849314 {
		return nil, fmt.Errorf("not a compressed histogram: %w", err)
	}
	if n := binary.BigEndian.Uint32(raw[4:]); int(n) != len(raw)-8 {
		return nil, fmt.Errorf("%d bytes that say they are %d", len(raw)-8, n)
	}
	z, err := zlib.NewReader(bytes.NewReader(raw[8:]))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(z)
	if err != nil || len(body) < 40 || binary.BigEndian.Uint32(body) != 0x1c849313 {
		return nil, fmt.Errorf("not a histogram: %w", err)
	}
	word := func(at int) int { return int(int32(binary.BigEndian.Uint32(body[at:]))) }
	long := func(at int) int64 { return int64(binary.BigEndian.Uint64(body[at:])) }
	h := &hdrCounts{digits: word(12), lowest: long(16), highest: long(24), counts: map[int]int64{}, smallest: -1}
	if length, offset, ratio := word(4), word(8), math.Float64frombits(uint64(long(32))); length != len(body)-40 || offset != 0 || ratio != 1 {
		return nil, fmt.Errorf("head: length %d of %d, offset %d, ratio %g", length, len(body)-40, offset, ratio)
	}
	if h.digits < 0 || h.digits > 5 || h.lowest < 1 || h.highest < 2*h.lowest {
		return nil, fmt.Errorf("head: %d digits from %d to %d", h.digits, h.lowest, h.highest)
	}
	h.unit = bits.Len64(uint64(h.lowest)) - 1
	// Values below twice ten to the digits are told apart one by one.
	h.halfLog = bits.Len64(uint64(2*math.Pow10(h.digits))-1) - 1
	index := 0
	for counts := body[40:]; len(counts) > 0; {
		v, n := binary.Varint(counts)
		if n <= 0 {
			return nil, errors.New("a count that does not end")
		}
		counts = counts[n:]
		if v < 0 {
			index -= int(v)
			continue
		}
		if v > 0 {
			h.add(index, v)
		}
		index++
	}
	return h, nil
}

func (h *hdrCounts) add(index int, n int64) {
	h.counts[index] += n
	h.total += n
	if h.smallest < 0 || index < h.smallest {
		h.smallest = index
	}
	h.widest = max(h.widest, index)
}

// merge adds a histogram of the same make.
func (h *hdrCounts) merge(o *hdrCounts) {
	for i, n := range o.counts {
		h.add(i, n)
	}
}

// bucket is the values that an index stands for. The first magnitude has 2^(halfLog+1) buckets of one unit; each further one has
// the upper half of them, twice as wide as the last's.
func (h *hdrCounts) bucket(index int) (low, high int64) {
	magnitude, sub := index>>h.halfLog-1, index&(1<<h.halfLog-1)+1<<h.halfLog
	if magnitude < 0 {
		magnitude, sub = 0, sub-1<<h.halfLog
	}
	width := int64(1) << (magnitude + h.unit)
	low = int64(sub) * width
	return low, low + width - 1
}

// rankOf is the place of a percentile among n values in order, counted from one. A hair less is asked for, so that a product that
// should be whole and is a hair more stays where it belongs.
func rankOf(percentile float64, n int64) int64 {
	return max(1, int64(math.Ceil(math.Nextafter(percentile, 0)*float64(n)/100)))
}

// at is the largest value of the bucket in which the percentile lies.
func (h *hdrCounts) at(percentile float64) int64 { return h.ranked(rankOf(percentile, h.total)) }

// says tells whether v is the percentile to somebody who rounds a rank instead of counting it up.
func (h *hdrCounts) says(percentile float64, v int64) bool {
	rank := rankOf(percentile, h.total)
	return v == h.ranked(rank) || v == h.ranked(rank-1)
}

func (h *hdrCounts) ranked(rank int64) int64 {
	for i := h.smallest; i <= h.widest; i++ {
		if rank -= h.counts[i]; rank <= 0 {
			_, high := h.bucket(i)
			return high
		}
	}
	return 0
}

func (h *hdrCounts) max() int64 {
	_, high := h.bucket(h.widest)
	return high
}

// readLog reads a histogram log, format 1.3, and merges the lines of each tag.
func readLog(text []byte) (map[string]*hdrCounts, error) {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	version, start, legend := -1, -1, -1
	tags := make(map[string]*hdrCounts)
	for i, l := range lines {
		switch {
		case l == "#[Histogram log format version 1.3]":
			version = i
		case strings.HasPrefix(l, "#[StartTime: "):
			start = i
		case strings.HasPrefix(l, `"StartTimestamp"`):
			legend = i
		case strings.HasPrefix(l, "#"):
		default:
			tag, h, err := readLine(l)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i, err)
			}
			if tags[tag] == nil {
				tags[tag] = h
			} else {
				tags[tag].merge(h)
			}
		}
	}
	if version != 0 || start <= version || legend <= start || len(tags) == 0 {
		return nil, fmt.Errorf("version in line %d, start in %d, legend in %d", version, start, legend)
	}
	return tags, nil
}

// readLine reads an interval: tag, start and length in seconds, maximum in milliseconds of what was recorded, payload.
func readLine(line string) (tag string, h *hdrCounts, err error) {
	tag, rest, _ := strings.Cut(strings.TrimPrefix(line, "Tag="), ",")
	f := strings.Split(rest, ",")
	if len(f) != 4 {
		return "", nil, fmt.Errorf("%d fields", len(f))
	}
	from, err1 := strconv.ParseFloat(f[0], 64)
	length, err2 := strconv.ParseFloat(f[1], 64)
	most, err3 := strconv.ParseFloat(f[2], 64)
	h, err4 := decodeHDR(f[3])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return "", nil, err
	}
	if from < 0 || from > 3600 || length < 0 {
		return "", nil, fmt.Errorf("from %g for %g s", from, length)
	}
	if got := float64(h.max()) / 1e6; math.Abs(most-got) > got/1000+0.001 {
		return "", nil, fmt.Errorf("maximum %g, the payload's %g", most, got)
	}
	return tag, h, nil
}

// writtenLog writes random latencies of two lanes as a run does, and returns them, in order, with the log.
func writtenLog(t testing.TB, seed uint64) (map[string][]int64, []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, seed))
	start := time.Unix(1_700_000_000, 123_000_000)
	values := map[string][]int64{}
	var all []Series
	for _, lane := range []string{"48B", "raw-1KiB"} {
		s := Series{Name: lane, Total: newHistogram()}
		for i := range 3 {
			h := newHistogram()
			for range 5000 {
				v := int64(50 * math.Exp(r.ExpFloat64()*1.5)) // a long tail
				if r.IntN(2000) == 0 {
					v = r.Int64N(highestNS)
				}
				v = min(max(v, lowestNS), highestNS)
				record(h, uint64(v))
				values[lane] = append(values[lane], v)
			}
			from := start.Add(time.Duration(i) * time.Second)
			s.Log = append(s.Log, Interval{from, from.Add(time.Second), h})
		}
		slices.Sort(values[lane])
		all = append(all, s)
	}
	var b bytes.Buffer
	if err := writeLog(&b, "a test", start, all); err != nil {
		t.Fatal(err)
	}
	return values, b.Bytes()
}

// sameBucket says whether v and what was read for it lie in one bucket: three digits.
func sameBucket(read, v int64) bool { return read >= v && float64(read-v) <= float64(v)/1000+1 }

// TestLogIsReadByItsFormatAlone: every count and the percentiles of what was recorded come back.
func TestLogIsReadByItsFormatAlone(t *testing.T) {
	const seed = 21
	values, text := writtenLog(t, seed)
	tags, err := readLog(text)
	if err != nil || len(tags) != len(values) {
		t.Fatal(err, len(tags))
	}
	for lane, v := range values {
		h := tags[lane]
		if h == nil || h.total != int64(len(v)) || h.digits != digits || h.lowest != lowestNS || h.highest < highestNS {
			t.Fatalf("seed %d: %s: %+v of %d values", seed, lane, h, len(v))
		}
		counted := map[int]int64{}
		at := h.smallest
		for _, x := range v { // ascending, so the bucket only moves up
			for _, high := h.bucket(at); high < x; _, high = h.bucket(at) {
				at++
			}
			counted[at]++
		}
		for i := range h.widest + 1 {
			if counted[i] != h.counts[i] {
				low, high := h.bucket(i)
				t.Errorf("seed %d: %s: %d values from %d to %d, the log says %d", seed, lane, counted[i], low, high, h.counts[i])
			}
		}
		for _, p := range []float64{50, 99, 99.9, 100} {
			want := v[rankOf(p, int64(len(v)))-1]
			if got := h.at(p); !sameBucket(got, want) {
				t.Errorf("seed %d: %s: p%g is %d, of what was recorded %d", seed, lane, p, got, want)
			}
		}
	}
}

// TestLogIsReadByAnotherImplementation: the port of HdrHistogram to JavaScript, which scripts/setup.sh installs, says what the reader
// above says.
func TestLogIsReadByAnotherImplementation(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "pulse", "hdr", "node_modules")
	node, err := exec.LookPath("node")
	if _, serr := os.Stat(filepath.Join(modules, "hdr-histogram-js")); errors.Join(err, serr) != nil {
		t.Skipf("the other implementation is not here (scripts/setup.sh reports): %v", errors.Join(err, serr))
	}
	values, text := writtenLog(t, 22)
	mine, err := readLog(text)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "written.hlog")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, filepath.Join("testdata", "read-hlog.js"), file)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var theirs map[string]struct{ Count, P50, P99, P999, Max int64 }
	if err := json.Unmarshal(out, &theirs); err != nil || len(theirs) != len(values) {
		t.Fatalf("%v: %s", err, out)
	}
	for lane, h := range mine {
		o := theirs[lane]
		if o.Count != h.total || o.P50 != h.at(50) || o.P99 != h.at(99) || o.P999 != h.at(99.9) {
			t.Errorf("%s: %+v, by the format alone %d values, %d, %d, %d", lane, o, h.total, h.at(50), h.at(99), h.at(99.9))
		}
		// Edges of a bucket are a convention of each implementation; all of them name the same bucket.
		if last := values[lane][len(values[lane])-1]; !sameBucket(h.max(), last) || math.Abs(float64(o.Max-last)) > float64(last)/1000+1 {
			t.Errorf("%s: the maximum is %d, read as %d and %d", lane, last, o.Max, h.max())
		}
	}
}

// TestReportTakesItsDistributionsFromTheLog: what is written beside a report is found there again.
func TestReportTakesItsDistributionsFromTheLog(t *testing.T) {
	values, text := writtenLog(t, 23)
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := someReport("ring/x", 1)
	r.Lane, r.Subject.Samples = "48B", int64(len(values["48B"]))
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	write("ring-x.json", b.Bytes())
	reports, err := ReadReports(dir)
	if err != nil || len(reports) != 1 {
		t.Fatal(err)
	}
	back := reports[0]
	if found, err := back.ReadLog(); found || err != nil {
		t.Errorf("without a log: %t, %v", found, err)
	}
	write("ring-x.hlog", text)
	if found, err := back.ReadLog(); !found || err != nil {
		t.Fatal(found, err)
	}
	all := back.series()
	if len(all) != 2 || all[0].Name != "48B" || all[0].Total.TotalCount() != r.Subject.Samples || len(all[0].Log) != 3 {
		t.Errorf("%d series of %v", len(all), back.order)
	}
	if from := all[0].Log[1].From; from.Sub(time.Unix(1_700_000_001, 123_000_000)).Abs() > 2*time.Millisecond {
		t.Errorf("the second interval begins at %s", from)
	}
	back.Subject.Samples++
	if _, err := back.ReadLog(); !errors.Is(err, ErrReport) || !strings.Contains(err.Error(), "ring-x.hlog") {
		t.Errorf("another run's log: %v", err)
	}
	write("ring-x.hlog", []byte("#[Histogram log format version 1.3]\n0.1,1.0,3.0,HISTnothing\n"))
	if _, err := back.ReadLog(); !errors.Is(err, ErrReport) {
		t.Errorf("a broken log: %v", err)
	}
	write("ring-x.hlog", nil)
	if _, err := back.ReadLog(); !errors.Is(err, ErrReport) {
		t.Errorf("an empty log: %v", err)
	}
}
