package sys

// LoadFence keeps loads before it before loads after it (DMB ISHLD).
//
//go:noescape
func LoadFence()
