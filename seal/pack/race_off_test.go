//go:build !race

package pack

// raced says whether the race detector watches.
const raced = false
