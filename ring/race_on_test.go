//go:build race

package ring

// raced says whether the race detector watches. It sees a lossy reader look at heap memory that is being overwritten,
// which is what lossy readers do and check afterwards; on mapped memory it is blind.
const raced = true
