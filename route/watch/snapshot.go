package watch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alphapulse/transport/internal/tally"
)

const (
	// Directory is where a node's stats files are, in the directory of its rings.
	Directory = ".watch"

	suffix = ".stats"
)

// Label is one of a sample's.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Counts is what a histogram of nanoseconds said: how many values fell in each bucket.
type Counts = tally.Counts

// Sample is one number of a snapshot.
type Sample struct {
	Metric Metric
	Labels []Label
	Value  float64 // of counters and gauges
	Counts *Counts // of a histogram
}

// Get is the value of a label, empty where there is none.
func (s *Sample) Get(label string) string {
	for _, l := range s.Labels {
		if l.Name == label {
			return l.Value
		}
	}
	return ""
}

// Snapshot is what a process's stats file said when it was read.
type Snapshot struct {
	Path    string
	Node    string // whose directory it is; empty without a topology
	Process string // the process's name there; "node" joins the node to others
	PID     int
	Started time.Time
	At      time.Time // when the process last said so
	Alive   bool      // false: these are the last words of a process that is gone
	Samples []Sample  // ordered by metric and labels
}

// Read reads one stats file. What is no metric of this version is passed over.
func Read(path string) (*Snapshot, error) {
	r, err := tally.Read(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Path: path, Node: r.Node, Process: r.Process, PID: r.PID, Started: r.Started, At: r.Beat, Alive: r.Alive}
	for _, e := range r.Entries {
		one, ok := sampleOf(e)
		if ok {
			s.Samples = append(s.Samples, one)
		}
	}
	slices.SortFunc(s.Samples, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(order(a.Metric.Name), order(b.Metric.Name)), slices.CompareFunc(a.Labels, b.Labels, func(x, y Label) int {
			return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value))
		}))
	})
	s.Samples = merge(s.Samples)
	return s, nil
}

// merge makes one sample of those that are about the same: two subscribers of a channel have a histogram each.
func merge(all []Sample) (out []Sample) {
	for _, one := range all {
		if n := len(out); n > 0 && out[n-1].Metric.Name == one.Metric.Name && slices.Equal(out[n-1].Labels, one.Labels) {
			if last := &out[n-1]; last.Counts != nil {
				sum := &Counts{}
				sum.Add(last.Counts)
				sum.Add(one.Counts)
				last.Counts = sum
			}
			continue
		}
		out = append(out, one)
	}
	return out
}

func order(name string) int {
	return slices.IndexFunc(catalogue, func(m Metric) bool { return m.Name == name })
}

// ReadDir reads all stats files of a node's directory, the node's own first. A file that is none is an error beside the others' snapshots; a
// directory without any is none.
func ReadDir(dir string) (all []*Snapshot, err error) {
	files, err := os.ReadDir(filepath.Join(dir, Directory))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	var faults []error
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), suffix) {
			continue
		}
		s, err := Read(filepath.Join(dir, Directory, f.Name()))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b *Snapshot) int { return cmp.Compare(rank(a), rank(b)) })
	return all, errors.Join(faults...)
}

// NodeProcess is what the process is called that joins a node to others.
const NodeProcess = "node"

func rank(s *Snapshot) int {
	if s.Process == NodeProcess {
		return 0
	}
	return 1
}

// Joined reports whether a living process joins the node of dir to others.
func Joined(dir string) bool {
	alive, err := tally.Alive(pathOf(dir, NodeProcess))
	return err == nil && alive
}

// Where picks the samples of a metric.
func (s *Snapshot) Where(name string) (all []*Sample) {
	for i := range s.Samples {
		if s.Samples[i].Metric.Name == name {
			all = append(all, &s.Samples[i])
		}
	}
	return all
}

// sampleOf is what an entry says, if it is a metric of the catalogue with labels that it has.
func sampleOf(e tally.Entry) (s Sample, ok bool) {
	name, rest, labelled := strings.Cut(e.Text, "{")
	if s.Metric, ok = Find(name); !ok || s.Metric.Kind != e.Kind {
		return s, false
	}
	if labelled {
		if s.Labels, ok = labelsOf(rest); !ok {
			return s, false
		}
	}
	for i, l := range s.Labels {
		again := slices.ContainsFunc(s.Labels[:i], func(before Label) bool { return before.Name == l.Name })
		if again || !slices.Contains(s.Metric.Labels, l.Name) || !utf8.ValidString(l.Value) {
			return s, false
		}
	}
	switch e.Kind {
	case Counter:
		s.Value = float64(e.Value)
	case Gauge:
		if s.Value = math.Float64frombits(e.Value); math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			return s, false // nobody says that, and JSON has no word for it
		}
	case Histogram:
		s.Counts = e.Counts
	}
	return s, true
}

// labelsOf reads a="b",c="d"}.
func labelsOf(text string) (all []Label, ok bool) {
	for text != "}" {
		name, rest, found := strings.Cut(text, `="`)
		if !found || len(all) > 8 {
			return nil, false
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest) && rest[i] != '"'; i++ {
			c := rest[i]
			if c == '\\' && i+1 < len(rest) {
				if i++; rest[i] == 'n' {
					c = '\n'
				} else {
					c = rest[i]
				}
			}
			value.WriteByte(c)
		}
		if i >= len(rest) {
			return nil, false
		}
		all = append(all, Label{name, value.String()})
		if text = rest[i+1:]; strings.HasPrefix(text, ",") {
			text = text[1:]
		} else if text != "}" {
			return nil, false
		}
	}
	return all, true
}
