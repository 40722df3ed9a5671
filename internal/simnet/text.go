package simnet

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// keys are the names in the text of Faults, in the order in which they are written.
var keys = []struct {
	name  string
	parse func(f *Faults, value string) error
	text  func(f Faults) string // empty: not set
}{
	{"loss", func(f *Faults, v string) error { return parseShare(&f.Loss, v) }, func(f Faults) string { return shareText(f.Loss) }},
	{"burst", parseBurst, burstText},
	{"delay", func(f *Faults, v string) error { return parseSpan(&f.Delay, v) }, func(f Faults) string { return spanText(f.Delay) }},
	{"jitter", func(f *Faults, v string) error { return parseSpan(&f.Jitter, v) }, func(f Faults) string { return spanText(f.Jitter) }},
	{"reorder", parseReorder, reorderText},
	{"dup", func(f *Faults, v string) error { return parseShare(&f.Duplicate, v) }, func(f Faults) string { return shareText(f.Duplicate) }},
	{"corrupt", func(f *Faults, v string) error { return parseShare(&f.Corrupt, v) }, func(f Faults) string { return shareText(f.Corrupt) }},
	{"truncate", func(f *Faults, v string) error { return parseShare(&f.Truncate, v) }, func(f Faults) string { return shareText(f.Truncate) }},
	{"rate", parseRate, rateText},
	{"queue", func(f *Faults, v string) error { return parseBytes(&f.Queue, v) }, func(f Faults) string { return bytesText(f.Queue) }},
	{"partition", func(f *Faults, v string) error { return f.Outage.parse(v) }, func(f Faults) string { return f.Outage.String() }},
}

// ParseFaults reads a list such as "loss=1%,burst=0.1%/8,delay=5ms,jitter=2ms,reorder=1%/3,dup=0.5%,corrupt=0.1%,truncate=0.1%,
// rate=10MB/s,queue=64KiB,partition=10s/1s/3". Shares are percentages or fractions; burst takes its start, mean length and, after
// another slash, the share lost; reorder how many later ones go first; sizes B, kB, MB, GB, KiB, MiB, GiB. The empty text is the
// zero Faults. It returns ErrFaults with all that is wrong.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	var faults []error
	seen := map[string]bool{}
	for item := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(text) == "" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		err := f.set(name, value)
		if err == nil && seen[name] {
			err = errors.New("named twice")
		}
		seen[name] = true
		if err != nil {
			faults = append(faults, fmt.Errorf("%q: %w", item, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return Faults{}, fmt.Errorf("%w: %w", ErrFaults, err)
	}
	if err := f.Check(); err != nil {
		return Faults{}, err
	}
	return f, nil
}

func (f *Faults) set(name, value string) error {
	known := make([]string, 0, len(keys))
	for _, k := range keys {
		if k.name == name {
			return k.parse(f, value)
		}
		known = append(known, k.name)
	}
	return fmt.Errorf("not one of %s", strings.Join(known, ", "))
}

// String is f as ParseFaults reads it; the zero Faults is the empty string.
func (f Faults) String() string {
	var items []string
	for _, k := range keys {
		if v := k.text(f); v != "" {
			items = append(items, k.name+"="+v)
		}
	}
	return strings.Join(items, ",")
}

func parseShare(to *float64, text string) error {
	digits, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return errors.New("a share is a percentage such as 1% or a fraction such as 0.01")
	}
	if percent {
		v /= 100
	}
	*to = v
	return nil
}

// shareText prefers the percentage, where it says the same number.
func shareText(v float64) string {
	if v == 0 {
		return ""
	}
	percent := strconv.FormatFloat(v*100, 'g', -1, 64)
	if back, err := strconv.ParseFloat(percent, 64); err == nil && back/100 == v {
		return percent + "%"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func parseSpan(to *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("a duration is a number with its unit, such as 5ms")
	}
	*to = d
	return nil
}

func spanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func parseBurst(f *Faults, text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("a burst is start/mean or start/mean/loss, such as 0.1%/8")
	}
	err := parseShare(&f.Burst.Start, parts[0])
	mean, merr := strconv.ParseFloat(parts[1], 64)
	if f.Burst.Mean = mean; merr != nil || !(mean >= 1) {
		err = errors.Join(err, fmt.Errorf("a burst's mean length %q is not a number from 1 up", parts[1]))
	}
	if len(parts) == 3 {
		err = errors.Join(err, parseShare(&f.Burst.Loss, parts[2]))
		if err == nil && f.Burst.Loss == 0 {
			err = errors.New("a burst that loses nothing")
		}
	}
	if err == nil && f.Burst.Start == 0 {
		err = errors.New("a burst that never starts")
	}
	return err
}

func burstText(f Faults) string {
	if f.Burst.Start == 0 {
		return ""
	}
	text := shareText(f.Burst.Start) + "/" + strconv.FormatFloat(f.Burst.Mean, 'g', -1, 64)
	if f.Burst.Loss > 0 {
		text += "/" + shareText(f.Burst.Loss)
	}
	return text
}

func parseReorder(f *Faults, text string) error {
	share, by, given := strings.Cut(text, "/")
	err := parseShare(&f.Reorder, share)
	if !given {
		return err
	}
	n, nerr := strconv.Atoi(by)
	if f.ReorderBy = n; nerr != nil || n < 1 {
		err = errors.Join(err, fmt.Errorf("reorder by %q datagrams is not a number from 1 up", by))
	}
	if err == nil && f.Reorder == 0 {
		err = errors.New("reorder by a number of datagrams, but none")
	}
	return err
}

func reorderText(f Faults) string {
	text := shareText(f.Reorder)
	if text != "" && f.ReorderBy > 0 {
		text += "/" + strconv.Itoa(f.ReorderBy)
	}
	return text
}

// units are the sizes' units, larger ones first within each family: the first that divides a size writes it.
var units = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

func parseBytes(to *int64, text string) error {
	fault := errors.New("a size is a number with its unit, such as 64KiB or 10MB")
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(digits, 64)
		if v *= float64(u.bytes); err != nil || v != math.Trunc(v) || v < 1 || v > 1<<53 {
			return fault
		}
		*to = int64(v)
		return nil
	}
	return fault
}

func bytesText(v int64) string {
	if v == 0 {
		return ""
	}
	for _, u := range units {
		if v%u.bytes == 0 {
			return strconv.FormatInt(v/u.bytes, 10) + u.name
		}
	}
	return ""
}

func parseRate(f *Faults, text string) error {
	size, ok := strings.CutSuffix(text, "/s")
	if err := parseBytes(&f.Rate, size); err != nil || !ok {
		return errors.New("a rate is bytes per second, such as 10MB/s")
	}
	return nil
}

func rateText(f Faults) string {
	if f.Rate == 0 {
		return ""
	}
	return bytesText(f.Rate) + "/s"
}

// ParseOutage reads "after/for" or "after/for/times", such as 10s/1s/3.
func ParseOutage(text string) (Outage, error) {
	var o Outage
	err := o.parse(text)
	if err == nil {
		err = Faults{Outage: o}.Check()
	} else {
		err = fmt.Errorf("%w: %w", ErrFaults, err)
	}
	if err != nil {
		return Outage{}, err
	}
	return o, nil
}

func (o *Outage) parse(text string) error {
	parts := strings.Split(text, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return errors.New("a partition is after/for or after/for/times, such as 10s/1s/3")
	}
	err := errors.Join(parseSpan(&o.After, parts[0]), parseSpan(&o.For, parts[1]))
	if err == nil && o.For == 0 {
		err = errors.New("a partition that lasts no time")
	}
	if len(parts) == 3 {
		n, nerr := strconv.Atoi(parts[2])
		if o.Times = n; nerr != nil || n < 1 {
			err = errors.Join(err, fmt.Errorf("partition %q times is not a number from 1 up", parts[2]))
		}
	}
	return err
}

// String is o as ParseOutage reads it; the zero Outage is the empty string.
func (o Outage) String() string {
	if o.For == 0 {
		return ""
	}
	text := o.After.String() + "/" + o.For.String()
	if o.Times > 0 {
		text += "/" + strconv.Itoa(o.Times)
	}
	return text
}
