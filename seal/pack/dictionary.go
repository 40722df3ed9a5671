package pack

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/klauspost/compress/dict"
	"github.com/klauspost/compress/zstd"
)

// BuildDictionary makes a dictionary of up to size bytes of content (and some 200 of tables) for Options.Dictionary from samples:
// bodies as they were before packing, a few hundred of them, of the sizes that will be packed. It returns ErrDictionary with the
// library's reason when samples share nothing or size is not 256 to 65,536.
//
// The dictionary's number is drawn from its content, so that two dictionaries with one number are two times the same. It is slow
// (seconds for megabytes of samples) and allocates: for a tool or a test, not for a worker.
func BuildDictionary(samples [][]byte, size int) (_ []byte, err error) {
	if size < 256 || size > 64<<10 {
		return nil, fmt.Errorf("%w: size %d is not 256 to 65536", ErrDictionary, size)
	}
	defer func() { // the builder asserts what odd samples do not fulfil
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDictionary, r)
		}
	}()
	b, err := dict.BuildZstdDict(samples, dict.Options{MaxDictSize: size, HashBytes: 6, ZstdDictID: 1, ZstdLevel: zstd.SpeedFastest})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDictionary, err)
	}
	binary.LittleEndian.PutUint32(b[4:], number(b[8:]))
	if _, err := zstd.InspectDictionary(b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDictionary, err)
	}
	return b, nil
}

// number is one of those that the format leaves to private use, 32,768 to 2³¹-1 (RFC 8878 §5), as the content says.
func number(content []byte) uint32 {
	const first, end = 1 << 15, 1 << 31
	h := fnv.New32a()
	_, _ = h.Write(content) // a hash takes everything
	return first + h.Sum32()%(end-first)
}
