package tlv_test

import (
	"errors"
	"fmt"
	"io"

	"github.com/alphapulse/transport/tlv"
)

// The counters of a Stream say what a connection has lost, and why.
func ExampleStreamStats() {
	s := tlv.NewStream(tlv.FramingNone, nil)
	damaged := tradeMessage(2)
	damaged[50] ^= 1 // one bit of its price
	for _, b := range [][]byte{tradeMessage(1), damaged, []byte("noise"), tradeMessage(3)} {
		s.Feed(b)
	}
	s.End()
	for ended := false; !ended; {
		_, err := s.Next()
		ended = errors.Is(err, io.EOF)
	}
	stats := s.Stats()
	fmt.Println(stats.Messages, "messages,", stats.Faulty, "faulty,", stats.Skipped, "bytes skipped")
	for kind, n := range stats.Kinds {
		if n > 0 {
			fmt.Println(tlv.Kind(kind), n)
		}
	}
	// Output:
	// 2 messages, 1 faulty, 5 bytes skipped
	// bad_magic 1
	// bad_checksum 1
}
