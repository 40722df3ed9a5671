package numa

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCPUs bounds CPU and node numbers, so that a forged list cannot ask for gigabytes. Linux itself stops at 8192 on amd64.
const maxCPUs = 8192

// ParseCPUs reads a list in the kernel's form, "0-3,8,10-11", as sysfs prints it and taskset takes it. The result ascends without
// repeats; blank text is an empty list. Numbers are 0 to 8191.
func ParseCPUs(list string) ([]int, error) {
	list = strings.TrimSpace(list)
	if list == "" {
		return nil, nil
	}
	var seen [maxCPUs]bool
	count := 0
	for part := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(part, "-")
		first, err := parseCPU(low)
		if err != nil {
			return nil, err
		}
		last := first
		if ranged {
			if last, err = parseCPU(high); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, fmt.Errorf("range %q runs backwards", part)
		}
		for cpu := first; cpu <= last; cpu++ {
			if !seen[cpu] {
				seen[cpu] = true
				count++
			}
		}
	}
	cpus := make([]int, 0, count)
	for cpu, in := range seen {
		if in {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// FormatCPUs writes a list in the kernel's form: FormatCPUs([]int{0, 1, 2, 8}) is "0-2,8".
func FormatCPUs(cpus []int) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(cpus)))
	var b strings.Builder
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(sorted[i]))
		if j > i {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(sorted[j]))
		}
		i = j + 1
	}
	return b.String()
}

// parseCPU accepts plain decimal digits only: no sign, no blanks.
func parseCPU(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n >= maxCPUs {
		return 0, fmt.Errorf("%.20q is not a number from 0 to %d", text, maxCPUs-1)
	}
	return int(n), nil
}
