//go:build !race

package ring

// raced says whether the race detector watches.
const raced = false
