//go:build race

package check

// Race says whether the race detector is built in. It does atomic accesses in code of its own, where a fault of the memory cannot be
// recovered from.
const Race = true
