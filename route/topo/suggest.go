package topo

import "strings"

// suggest is the candidate nearest to word, if it is within two slips of the pen: a letter too many, too few, wrong or
// swapped with its neighbour. "" if there is none, or if word is so short that anything is near.
func suggest(word string, candidates []string) string {
	best, least := "", 3
	w := fold(word)
	for _, c := range candidates {
		if d := distance(w, fold(c)); d < least && d < len(w) {
			best, least = c, d
		}
	}
	return best
}

// fold takes away what two spellings of one name may differ in: case, and what stands between its words.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// distance counts the slips between two words. Words longer than any name here are far from everything.
func distance(a, b string) int {
	const longest = 48
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, twoAbove := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
