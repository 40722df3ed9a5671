package pack

import (
	"fmt"
	"strings"
)

// Method says how bodies are packed. LZ4, Zstd and Snappy are numbered as on the wire.
type Method uint8

const (
	// None leaves bodies as they are.
	None Method = iota
	// LZ4 is the block format, the quickest to expand.
	LZ4
	// Zstd is one frame of RFC 8878, the smallest and the dearest, and the only one that takes a dictionary.
	Zstd
	// Snappy is the block format, the cheapest to write.
	Snappy
	// Adaptive picks one of the others as Observe and its own measurements say. It never travels.
	Adaptive
)

const methods = int(Snappy) + 1 // that can travel, None included

var names = [...]string{"none", "lz4", "zstd", "snappy", "adaptive"}

// String is "none", "lz4", "zstd", "snappy" or "adaptive".
func (m Method) String() string {
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("method %d", uint8(m))
}

// MarshalText writes the name that UnmarshalText reads, or ErrOptions for a number without one.
func (m Method) MarshalText() ([]byte, error) {
	if int(m) >= len(names) {
		return nil, fmt.Errorf("%w: no method has the number %d", ErrOptions, uint8(m))
	}
	return []byte(names[m]), nil
}

// UnmarshalText sets m to the method of that name, or returns ErrOptions with the names there are.
func (m *Method) UnmarshalText(text []byte) error {
	for i, name := range names {
		if string(text) == name {
			*m = Method(i)
			return nil
		}
	}
	return fmt.Errorf("%w: method %q is not one of %s", ErrOptions, text, strings.Join(names[:], ", "))
}
