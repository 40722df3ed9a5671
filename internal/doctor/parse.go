package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/numa"
)

// maxCPUs bounds CPU numbers, so that a forged list cannot ask for gigabytes.
const maxCPUs = 8192

// isolationFlags stand before the CPUs of isolcpus.
var isolationFlags = []string{"nohz", "domain", "managed_irq"}

// parseParamCPUs reads the CPUs of a kernel parameter: a list as sysfs has it, with "all", with N for the last CPU, and with groups such as
// 0-31:2/8 (the first two of each eight). Flags of isolcpus are passed over.
func parseParamCPUs(text string, last int) ([]int, error) {
	if last < 0 || last >= maxCPUs {
		return nil, fmt.Errorf("last CPU %d is not 0 to %d", last, maxCPUs-1)
	}
	var seen [maxCPUs]bool
	for part := range strings.SplitSeq(text, ",") {
		if part == "" || slices.Contains(isolationFlags, part) {
			continue
		}
		if part == "all" {
			part = "0-N"
		}
		span, group, grouped := strings.Cut(part, ":")
		used, of := 1, 1
		if grouped {
			u, o, ok := strings.Cut(group, "/")
			var err1, err2 error
			used, err1 = strconv.Atoi(u)
			of, err2 = strconv.Atoi(o)
			if !ok || err1 != nil || err2 != nil || used < 1 || of < used || of > maxCPUs {
				return nil, fmt.Errorf("group %.20q is not USED/SIZE", group)
			}
		}
		low, high, ranged := strings.Cut(strings.ReplaceAll(span, "N", strconv.Itoa(last)), "-")
		first, err := parseCPU(low)
		if err != nil {
			return nil, err
		}
		end := first
		if ranged {
			if end, err = parseCPU(high); err != nil {
				return nil, err
			}
		}
		if end < first {
			return nil, fmt.Errorf("range %.20q runs backwards", span)
		}
		for cpu := first; cpu <= end; cpu++ {
			seen[cpu] = seen[cpu] || (cpu-first)%of < used
		}
	}
	return listed(&seen), nil
}

func parseCPU(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n >= maxCPUs {
		return 0, fmt.Errorf("%.20q is not a CPU number", text)
	}
	return int(n), nil
}

func listed(seen *[maxCPUs]bool) (cpus []int) {
	for cpu, in := range seen {
		if in {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// parseMask reads a bit mask of CPUs as the kernel prints it: hexadecimal words of 32 bits with commas between, the highest first.
func parseMask(text string) ([]int, error) {
	words := strings.Split(strings.TrimSpace(text), ",")
	if len(words) > maxCPUs/32 {
		return nil, fmt.Errorf("mask of %d words, at most %d", len(words), maxCPUs/32)
	}
	var seen [maxCPUs]bool
	for i, word := range words {
		bits, err := strconv.ParseUint(word, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("%.20q is not a mask of CPUs", word)
		}
		base := (len(words) - 1 - i) * 32
		for bit := range 32 {
			seen[base+bit] = bits>>bit&1 == 1
		}
	}
	return listed(&seen), nil
}

// formatMask is parseMask turned round.
func formatMask(cpus []int) string {
	words := []uint32{0}
	for _, cpu := range cpus {
		for len(words) <= cpu/32 {
			words = append(words, 0)
		}
		words[cpu/32] |= 1 << (cpu % 32)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%x", words[len(words)-1])
	for i := len(words) - 2; i >= 0; i-- {
		fmt.Fprintf(&b, ",%08x", words[i])
	}
	return b.String()
}

// param is one word of the kernel's command line.
type param struct{ name, value string }

// parseCmdline splits the kernel's command line; blanks within double quotes do not part words.
func parseCmdline(text string) (params []param) {
	quoted := false
	words := strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\n' || r == '\t')
	})
	for _, word := range words {
		name, value, _ := strings.Cut(strings.ReplaceAll(word, `"`, ""), "=")
		if name == "--" { // the rest is for init
			break
		}
		params = append(params, param{name, value})
	}
	return params
}

// parseSNMP reads /proc/net/snmp: a line of names and a line of values for each protocol. Keys are such as Udp.InErrors.
func parseSNMP(text string) (map[string]uint64, error) {
	all := map[string]uint64{}
	names := map[string][]string{}
	for line := range strings.Lines(text) {
		protocol, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		heads, known := names[protocol]
		if !known {
			names[protocol] = fields
			continue
		}
		if len(fields) != len(heads) {
			return nil, fmt.Errorf("%.20s: %d values for %d names", protocol, len(fields), len(heads))
		}
		for i, f := range fields {
			if n, err := strconv.ParseUint(f, 10, 64); err == nil { // Tcp MaxConn is -1
				all[protocol+"."+heads[i]] = n
			}
		}
	}
	return all, nil
}

// softnet is what the kernel's receive path did not manage, over all CPUs.
type softnet struct{ dropped, squeezed uint64 }

// parseSoftnet reads /proc/net/softnet_stat: hexadecimal columns processed, dropped, squeezed and more, a row for each CPU.
func parseSoftnet(text string) (sum softnet, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) < 3 {
			return softnet{}, fmt.Errorf("row of %d columns, at least 3", len(f))
		}
		dropped, err1 := strconv.ParseUint(f[1], 16, 32)
		squeezed, err2 := strconv.ParseUint(f[2], 16, 32)
		if err1 != nil || err2 != nil {
			return softnet{}, fmt.Errorf("%.40q is not hexadecimal", line)
		}
		sum.dropped += dropped
		sum.squeezed += squeezed
	}
	return sum, nil
}

// interrupt is a row of /proc/interrupts that belongs to a device.
type interrupt struct {
	number int
	counts map[int]uint64 // by CPU
	what   string         // the controller and the device's names
}

// parseInterrupts reads the numbered rows of /proc/interrupts.
func parseInterrupts(text string) (all []interrupt, err error) {
	head, rows, _ := strings.Cut(text, "\n")
	var cpus []int
	for _, f := range strings.Fields(head) {
		n, found := strings.CutPrefix(f, "CPU")
		cpu, err := parseCPU(n)
		if !found || err != nil {
			return nil, fmt.Errorf("%.20q heads no column of a CPU", f)
		}
		cpus = append(cpus, cpu)
	}
	for line := range strings.Lines(rows) {
		label, rest, ok := strings.Cut(line, ":")
		number, err := strconv.ParseUint(strings.TrimSpace(label), 10, 31)
		if !ok || err != nil {
			continue // NMI, LOC and their like are the CPU's own
		}
		f := strings.Fields(rest)
		if len(f) < len(cpus) {
			return nil, fmt.Errorf("IRQ %d has %d columns, %d CPUs", number, len(f), len(cpus))
		}
		one := interrupt{number: int(number), counts: map[int]uint64{}, what: strings.Join(f[len(cpus):], " ")}
		for i, cpu := range cpus {
			if one.counts[cpu], err = strconv.ParseUint(f[i], 10, 64); err != nil {
				return nil, fmt.Errorf("IRQ %d: %.20q is not a count", number, f[i])
			}
		}
		all = append(all, one)
	}
	return all, nil
}

// mount is a line of /proc/self/mounts.
type mount struct {
	device, at, kind string
	options          []string
}

// option returns the value of an option of a mount.
func (m mount) option(name string) (string, bool) {
	for _, o := range m.options {
		if key, value, _ := strings.Cut(o, "="); key == name {
			return value, true
		}
	}
	return "", false
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// parseMounts reads the mounts; of several at one place the last one is on top.
func parseMounts(text string) (all []mount) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 4 {
			all = append(all, mount{unescape.Replace(f[0]), unescape.Replace(f[1]), f[2], strings.Split(f[3], ",")})
		}
	}
	return all
}

// unlimited stands for a limit that is none.
const unlimited = ^uint64(0)

// limit is a row of /proc/self/limits.
type limit struct{ soft, hard uint64 }

// parseLimits reads /proc/self/limits by the names it has, such as "Max open files".
func parseLimits(text string) map[string]limit {
	const name = 26 // columns of the name
	all := map[string]limit{}
	for line := range strings.Lines(text) {
		if len(line) <= name {
			continue
		}
		f := strings.Fields(line[name:])
		if len(f) < 2 {
			continue
		}
		soft, err1 := parseLimit(f[0])
		hard, err2 := parseLimit(f[1])
		if err1 == nil && err2 == nil {
			all[strings.TrimSpace(line[:name])] = limit{soft, hard}
		}
	}
	return all
}

func parseLimit(text string) (uint64, error) {
	if text == "unlimited" {
		return unlimited, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// parseVersion reads the two numbers that a kernel's release begins with.
func parseVersion(release string) (major, minor int, ok bool) {
	a, rest, _ := strings.Cut(release, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		rest = rest[:end]
	}
	major, err1 := strconv.Atoi(a)
	minor, err2 := strconv.Atoi(rest)
	return major, minor, err1 == nil && err2 == nil
}

// selected is the bracketed word of a file such as "always [madvise] never", or the whole text.
func selected(text string) string {
	if _, after, ok := strings.Cut(text, "["); ok {
		if word, _, ok := strings.Cut(after, "]"); ok {
			return word
		}
	}
	return text
}

// bytesText prints a size.
func bytesText(n uint64) string {
	switch {
	case n == unlimited:
		return "unlimited"
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// cpusText prints a list of CPUs, or "none".
func cpusText(cpus []int) string {
	if len(cpus) == 0 {
		return "none"
	}
	return numa.FormatCPUs(cpus)
}

// both lists what is in a and in b.
func both(a, b []int) (common []int) {
	for _, x := range a {
		if slices.Contains(b, x) {
			common = append(common, x)
		}
	}
	return common
}

// without lists what is in a and not in b.
func without(a, b []int) (rest []int) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			rest = append(rest, x)
		}
	}
	return rest
}
