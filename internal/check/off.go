//go:build !invariants && !race

package check

// On says whether this build tests its invariants.
const On = false
