package bench

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Series is a named distribution of nanoseconds: all of it, and piece by piece.
type Series struct {
	Name  string
	Total *hdrhistogram.Histogram
	Log   []Interval
}

// Interval is what was measured between two instants: a line of the .hlog.
type Interval struct {
	From, To time.Time
	Hist     *hdrhistogram.Histogram
}

// Sheet is a report of distributions that are no comparison of lanes: what a Report's files are to a workload, its files
// are to any other measurement.
type Sheet struct {
	Name    string // of the files, with a dash for each slash
	Note    string // a sentence below the title
	Comment string // the .hlog's
	Started time.Time
	Series  []Series
	Head    []string   // of the table
	Rows    [][]string // its first cells name the rows
	Facts   [][2]string
}

//go:embed sheet.html
var sheetText string

var sheetPage = template.Must(template.Must(page.Clone()).New("sheet").Parse(sheetText))

// WriteFiles writes NAME.json with what json holds, NAME.html, NAME.hlog and a NAME-SERIES.hgrm for each series that is not
// empty into dir, which is created when missing. It returns the paths.
func (s *Sheet) WriteFiles(dir string, json []byte) ([]string, error) {
	f := files{dir: dir, name: s.Name}
	f.write(".json", func(b *bytes.Buffer) error {
		_, err := b.Write(json)
		return err
	})
	f.write(".html", func(b *bytes.Buffer) error {
		return sheetPage.Execute(b, struct {
			*Sheet
			Curve template.HTML
		}{s, curve(tracesOf(s.Series))})
	})
	f.write(".hlog", func(b *bytes.Buffer) error { return writeLog(b, s.Comment, s.Started, s.Series) })
	f.percentiles(s.Series)
	return f.paths, f.err
}

// files writes a report's files side by side.
type files struct {
	dir, name string
	paths     []string
	err       error
}

func (f *files) write(suffix string, render func(*bytes.Buffer) error) {
	var text bytes.Buffer
	path := filepath.Join(f.dir, strings.ReplaceAll(f.name, "/", "-")+suffix)
	err := os.MkdirAll(f.dir, 0o755)
	if err == nil {
		err = render(&text)
	}
	if err == nil {
		err = os.WriteFile(path, text.Bytes(), 0o644)
	}
	if err != nil {
		f.err = errors.Join(f.err, fmt.Errorf("bench: write %s: %w", path, err))
		return
	}
	f.paths = append(f.paths, path)
}

// percentiles writes a .hgrm for each series that is not empty.
func (f *files) percentiles(all []Series) {
	for _, s := range all {
		if s.Total.TotalCount() == 0 {
			continue
		}
		f.write("-"+s.Name+".hgrm", func(b *bytes.Buffer) error {
			_, err := s.Total.PercentilesPrint(b, hgrmTicks, nsPerMicro)
			return err
		})
	}
}

// writeLog writes the histogram log, format 1.3. Readers want its head in this order: version, start time, legend.
func writeLog(b *bytes.Buffer, comment string, started time.Time, all []Series) error {
	w := hdrhistogram.NewHistogramLogWriter(b)
	start := started.UnixMilli()
	err := errors.Join(
		w.OutputLogFormatVersion(),
		w.OutputComment("["+comment+"]"),
		w.OutputStartTime(start),
		w.OutputLegend(),
	)
	w.SetBaseTime(start / 1000 * 1000) // the head names whole seconds
	for _, s := range all {
		for _, i := range s.Log {
			i.Hist.SetTag(s.Name)
			i.Hist.SetStartTimeMs(i.From.UnixMilli())
			i.Hist.SetEndTimeMs(i.To.UnixMilli())
			err = errors.Join(err, w.OutputIntervalHistogram(i.Hist))
		}
	}
	return err
}

// LatencyOf reads the quoted percentiles out of h, or nil when h is empty.
func LatencyOf(h *hdrhistogram.Histogram) *Latency { return latencyOf(h) }

// Cells writes p50, p90, p99, p99.9, p99.99 and max for people; a nil Latency has none.
func (l *Latency) Cells() []string {
	return strings.Split(strings.TrimSuffix(latencyCells(l), "\t"), "\t")
}

// ReadHost collects the facts of this machine. Pins, clock and load are a run's own and stay zero.
func ReadHost() Host { return readHost() }

// BuiltFrom names the source this program was built from: Commit, or what the go command stamped, or "unknown".
func BuiltFrom() string { return commitOf() }
