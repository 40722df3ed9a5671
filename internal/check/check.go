// Package check holds the invariants that are tested only when the program is built with the invariants or race tag.
//
// A call site asks On first, so that an ordinary build carries neither the test nor its arguments:
//
//	if check.On {
//		check.That(cursor <= head, "I4: a cursor passed the writer")
//	}
//
// Point names a place in a publish or release sequence. Crash tests set Hook and kill the process there.
package check

// That panics with the invariant's name and sentence when ok is false.
func That(ok bool, invariant string) {
	if !ok {
		panic("invariant broken: " + invariant)
	}
}

// Hook is called by Point. It is set once, before any loop starts, by a test process.
var Hook func(point string)

// Point reports that the caller reached the named place.
func Point(name string) {
	if Hook != nil {
		Hook(name)
	}
}
