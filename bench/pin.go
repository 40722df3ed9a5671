package bench

import (
	"errors"
	"fmt"

	"github.com/alphapulse/transport/internal/sys"
)

// pin keeps the calling thread on one processor. Where the system cannot, the thread stays free; the report's host facts say so.
func pin(cpu int) error {
	err := sys.SetAffinity([]int{cpu})
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("bench: pin to processor %d: %w", cpu, err)
}

// canPin reports whether this system confines threads to processors.
func canPin() bool {
	_, err := sys.Affinity()
	return err == nil
}
