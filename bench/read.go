package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrReport says that a file is not what it is taken for; the text names the file and what is wrong. Give what
// "pulse bench --json" prints or --out writes.
var ErrReport = errors.New("bench: bad report")

// mostOfFile bounds what is read of one file; a report is some 4 KiB, the log of a day some 200 MiB.
const mostOfFile = 256 << 20

// ReadReports reads the reports in the named files, each of which holds one or many of them, and in the .json files of the named
// directories. At least one comes back, or an error that names every fault.
func ReadReports(paths ...string) (all []*Report, err error) {
	for _, p := range paths {
		files := []string{p}
		if st, serr := os.Stat(p); serr == nil && st.IsDir() {
			if files, serr = filepath.Glob(filepath.Join(escaped(p), "*.json")); serr == nil && len(files) == 0 {
				serr = fmt.Errorf("%w: no .json file in %s", ErrReport, p)
			}
			err = errors.Join(err, serr)
		}
		for _, file := range files {
			some, ferr := readReports(file)
			all, err = append(all, some...), errors.Join(err, ferr)
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: no file is named", ErrReport)
	}
	return all, err
}

// escaped keeps the signs of a directory's name from being a pattern.
func escaped(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func readReports(file string) ([]*Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, err)
	}
	defer f.Close() // it was only read
	all, err := decodeReports(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrReport, file, err)
	}
	for _, r := range all {
		r.from = file
	}
	return all, nil
}

// decodeReports reads one report after the other.
func decodeReports(in io.Reader) (all []*Report, err error) {
	d := json.NewDecoder(io.LimitReader(in, mostOfFile))
	for {
		r := new(Report)
		err := d.Decode(r)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = r.check()
		}
		if err != nil {
			return nil, fmt.Errorf("report %d: %w", len(all)+1, err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("it is empty")
	}
	return all, nil
}

// check refuses what no run has printed.
func (r *Report) check() error {
	if r.Workload == "" || r.Subject.Slices == 0 {
		return errors.New("not a report of pulse bench --json: it names no workload or no slices")
	}
	for _, row := range r.rows() {
		if err := row.check(); err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
	}
	for _, q := range r.quotients() {
		for _, s := range []*Spread{q.P50, q.P99, q.PerSec} {
			if s != nil && !(0 <= s.Lo && s.Lo <= s.Median && s.Median <= s.Hi) {
				return fmt.Errorf("%s: ratio %g is not between %g and %g", q.name, s.Median, s.Lo, s.Hi)
			}
		}
	}
	return nil
}

func (f Figures) check() error {
	if l := f.Latency; l != nil && !(0 <= l.P50 && l.P50 <= l.P90 && l.P90 <= l.P99 && l.P99 <= l.P999 && (l.P9999 == 0 || l.P999 <= l.P9999) &&
		max(l.P999, l.P9999) <= l.Max && l.Max <= 2*highestNS && l.Samples > 0) {
		return errors.New("latencies are out of order")
	}
	if f.PerSec < 0 || f.PerSecLo > f.PerSec || f.PerSecHi < f.PerSec || f.Allocs < 0 {
		return errors.New("a rate is outside of its interval, or below zero")
	}
	return nil
}

// ReadLog reads the distributions that were written beside the report, NAME.hlog beside NAME.json, and says whether there are any.
func (r *Report) ReadLog() (found bool, err error) {
	file, isJSON := strings.CutSuffix(r.from, ".json")
	if !isJSON {
		return false, nil
	}
	file += ".hlog"
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrReport, err)
	}
	defer f.Close() // it was only read
	if err := r.readLog(f); err != nil {
		return false, fmt.Errorf("%w: %s: %w", ErrReport, file, err)
	}
	return true, nil
}
