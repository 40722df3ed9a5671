package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// clean is a name as it may be shown: nothing in it moves the cursor, and each character takes one cell.
func clean(name string) string {
	var b strings.Builder
	for _, r := range name {
		if plain(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRuneToASCII(r)
			if quoted = quoted[1 : len(quoted)-1]; quoted[0] != '\\' {
				quoted = fmt.Sprintf("\\u%04x", r)
			}
			b.WriteString(quoted)
		}
	}
	return b.String()
}

// plain characters are those up to Cyrillic that print, but for those that join the one before. U+FFFD stands for bytes that are no text.
func plain(r rune) bool {
	return r >= ' ' && r < 0x530 && unicode.IsPrint(r) && !unicode.IsMark(r)
}

// number is a count in at most six characters.
func number(x float64) string { return scaled(x, 1000, "", "k", "M", "G", "T", "P", "E") }

// octets is a number of bytes.
func octets(x float64) string { return scaled(x, 1024, "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB") }

func scaled(x, step float64, units ...string) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "?"
	}
	i := 0
	for i < len(units)-1 && math.Abs(x) >= 999.5 { // so that no rounding makes a fourth digit
		x, i = x/step, i+1
	}
	return short(x) + units[i]
}

// short has three digits at most.
func short(x float64) string {
	switch {
	case x == math.Trunc(x) && math.Abs(x) < 1000:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case math.Abs(x) < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case math.Abs(x) < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// span is a time in ns.
func span(ns uint64) string {
	x := float64(ns)
	if x >= 60e9 {
		return time.Duration(min(ns, math.MaxInt64)).Round(time.Second).String()
	}
	return scaled(x, 1000, "ns", "µs", "ms", "s")
}

// bar draws a share of one.
func bar(share float64, cells int) string {
	full := int(math.Round(min(max(share, 0), 1) * float64(cells)))
	if share > 0 && full == 0 {
		full = 1
	}
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}

// words is what a metric is about, without what all have and without what Prometheus asks of a name.
func words(metric string) string {
	s := strings.TrimSuffix(strings.TrimPrefix(clean(metric), "pulse_"), "_total")
	return strings.ReplaceAll(s, "_", " ")
}
