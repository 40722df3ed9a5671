package topo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxCPU is the highest CPU number a list may name. Lists are spelled out in memory, so they need a bound.
const maxCPU = 4095

// unit is a factor and the suffixes it is written with, the preferred one first.
type unit struct {
	factor float64
	names  []string
}

var (
	sizeUnits = []unit{{1, []string{"B"}}, {1 << 10, []string{"KiB"}}, {1 << 20, []string{"MiB"}}, {1 << 30, []string{"GiB"}},
		{1e3, []string{"kB", "KB"}}, {1e6, []string{"MB"}}, {1e9, []string{"GB"}}}
	bandUnits = []unit{{1, []string{"bit/s", "bps"}}, {1e3, []string{"kbit/s", "Kbit/s", "kbps", "Kbps"}}, {1e6, []string{"Mbit/s", "Mbps"}},
		{1e9, []string{"Gbit/s", "Gbps"}}}
	rateUnits = []unit{{1, []string{"/s"}}, {1e3, []string{"k/s"}}, {1e6, []string{"M/s"}}}
)

// parseSpan reads a duration: 50ms, 1.5s, 1h30m, 7d, or 0.
func parseSpan(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= 0 && n < 1e5 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d >= 0:
		return d, nil
	case err == nil:
		return 0, errors.New("a duration is not negative")
	case isNumber(s):
		return 0, fmt.Errorf("a duration needs a unit: %sms or %ss", s, s)
	}
	return 0, errors.New("a duration is written like 50ms, 1.5s, 2m or 7d")
}

// showSpan writes d in the largest unit that divides it.
func showSpan(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}, {time.Microsecond, "us"}} {
		if d != 0 && d%u.d == 0 {
			return strconv.FormatInt(int64(d/u.d), 10) + u.name
		}
	}
	if d == 0 {
		return "0"
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// scaled reads a number followed by one of units; bare says whether the unit may be missing.
func scaled(s string, units []unit, bare bool) (float64, bool) {
	best, factor := "", 1.0
	for _, u := range units {
		for _, name := range u.names {
			if strings.HasSuffix(s, name) && len(name) > len(best) {
				best, factor = name, u.factor
			}
		}
	}
	if best == "" && !bare {
		return 0, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(s, best)), 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		return 0, false
	}
	return n * factor, true
}

// show writes n in the largest unit among units that leaves a whole number, looking at the first count of them.
func show(n float64, units []unit, count int) string {
	for i := count - 1; i > 0; i-- {
		if q := n / units[i].factor; n > 0 && q == math.Trunc(q) && q*units[i].factor == n {
			return strconv.FormatFloat(q, 'f', -1, 64) + units[i].names[0]
		}
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + units[0].names[0]
}

// parseSize reads bytes: 64KiB, 1 MB, or a bare number.
func parseSize(s string) (int, error) {
	n, ok := scaled(s, sizeUnits, true)
	switch {
	case !ok:
		return 0, errors.New("a size is written like 64KiB, 1MiB or 1048576")
	case n != math.Trunc(n):
		return 0, errors.New("a size is a whole number of bytes")
	case n > 1<<50:
		return 0, errors.New("a size is at most 1 PiB")
	}
	return int(n), nil
}

func showSize(n int) string { return show(float64(n), sizeUnits, 4) }

// parseBand reads bits a second: 10Gbit/s or 100Mbps.
func parseBand(s string) (uint64, error) {
	n, ok := scaled(s, bandUnits, false)
	if !ok || n != math.Trunc(n) || n > 1<<50 {
		return 0, errors.New("a bandwidth is written like 10Gbit/s or 100Mbps")
	}
	return uint64(n), nil
}

func showBand(n uint64) string { return show(float64(n), bandUnits, len(bandUnits)) }

// parseRate reads messages a second: 50000, 50k/s or 1.5M/s.
func parseRate(s string) (float64, error) {
	n, ok := scaled(s, rateUnits, true)
	if !ok || n > 1e12 {
		return 0, errors.New("a rate is written like 50000, 50k/s or 1.5M/s")
	}
	return n, nil
}

func showRate(n float64) string { return show(n, rateUnits, len(rateUnits)) }

// parseShare reads a part of the whole: 5% or 0.05.
func parseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return 0, errors.New("a share is written like 5% or 0.05, from 0% to 100%")
	}
	return n, nil
}

func showShare(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// parseCPUs reads a list of CPUs: 0-3,8.
func parseCPUs(s string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(first)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(last)
		}
		if err != nil || a < 0 || b < a || b > maxCPU {
			return nil, fmt.Errorf("CPUs are written like 0-3,8, each from 0 to %d", maxCPU)
		}
		for c := a; c <= b; c++ {
			all = append(all, c)
		}
		if len(all) > 2*maxCPU {
			return nil, errors.New("CPUs are named more than once")
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		return nil, errors.New("a CPU is named more than once")
	}
	return all, nil
}

// showCPUs writes a sorted list with ranges.
func showCPUs(all []int) string {
	var b strings.Builder
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(all[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(all[j]))
		}
		i = j + 1
	}
	return b.String()
}
