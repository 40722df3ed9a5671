package udp

import (
	"os"
	"strconv"

	"github.com/alphapulse/transport/ring"
)

var ringOptions = ring.Options{}

// scaled divides a count by PULSE_SCALE, but leaves enough of it to say something.
func scaled(n int) int {
	if scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE")); err == nil && scale > 1 {
		return max(n/scale, min(n, 2000), 1)
	}
	return n
}
