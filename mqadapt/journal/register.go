package journal

import (
	"errors"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// A register is a number in a mapped file that survives a kill at any point of its change: two slots, of which the newer whole one counts.
//
//	 0  count u64 · value u64 · check u64 (both and a constant, exclusive or) · reserved u64
//	32  the same
//
// A store takes the older slot: it clears its check, writes, and sets the check last. A slot without a check is one that a store was killed
// in; one with a wrong check is damaged, and load says so.
type register struct {
	mem sys.Mem
}

const (
	registerSize  = 64
	slotSize      = 32
	registerCheck = 0x9e3779b97f4a7c15
)

var errRegister = errors.New("a number and its check contradict each other")

// registerLooks bounds how often a load looks again because a store came by.
const registerLooks = 1000

func (r register) slot(i uint64) (count, value uint64, whole, torn bool) {
	at := i * slotSize
	check := r.mem.Load64(at + 16)
	value = r.mem.Load64(at + 8)
	count = r.mem.Load64(at)
	return count, value, check == count^value^registerCheck && r.mem.Load64(at+24) == 0, check == 0
}

// look returns the newest value and its count.
func (r register) look() (count, value uint64, err error) {
	for range registerLooks {
		c0, v0, ok0, torn0 := r.slot(0)
		c1, v1, ok1, torn1 := r.slot(1)
		switch {
		case !ok0 && !torn0 || !ok1 && !torn1 || !ok0 && !ok1:
			sys.Pause() // damaged, or a store came by between two loads
			continue
		case ok0 && (!ok1 || c0 > c1):
			return c0, v0, nil
		}
		return c1, v1, nil
	}
	return 0, 0, errRegister
}

func (r register) load() (uint64, error) {
	_, v, err := r.look()
	return v, err
}

// store has one caller at a time.
func (r register) store(v uint64) error {
	count, _, err := r.look()
	if err != nil {
		return err
	}
	r.put(count+1, v)
	return nil
}

func (r register) put(count, v uint64) {
	at := (count & 1) * slotSize
	r.mem.Store64(at+16, 0)
	if check.On {
		check.Point("register.cleared")
	}
	r.mem.Store64(at+8, v)
	r.mem.Store64(at, count)
	if check.On {
		check.Point("register.value")
	}
	r.mem.Store64(at+16, count^v^registerCheck)
}

// init gives both slots of a new file a value.
func (r register) init(v uint64) {
	r.put(1, v)
	r.put(2, v)
}
