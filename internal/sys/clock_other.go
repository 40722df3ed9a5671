//go:build !linux

package sys

import "time"

var processStart = time.Now()

// Monotonic returns nanoseconds since this process started: other processes count from elsewhere.
func Monotonic() uint64 { return uint64(time.Since(processStart)) }
