//go:build !race

package check

// Race says whether the race detector is built in.
const Race = false
