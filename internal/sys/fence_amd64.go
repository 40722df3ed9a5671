package sys

// LoadFence keeps loads before it before loads after it. TSO does so unasked.
func LoadFence() {}
