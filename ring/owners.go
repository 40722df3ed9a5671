package ring

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

// takeSlot locks a slot: for a durable reader the one of its name if there is one; else a free one; else one whose
// owner is dead and that gates nobody.
func (r *Ring) takeSlot(o ReaderOptions) (i int, adopted bool, err error) {
	if o.Durable {
		if i := r.takeKept(o.Name); i >= 0 {
			return i, true, nil
		}
		if err := r.lockName(o); err != nil {
			return 0, false, err
		}
		defer func() {
			if err != nil {
				r.unlockName(o)
			}
		}()
		if i, err := r.slotOf(o.Name); err != nil || i >= 0 {
			return i, true, err
		}
	}
	for _, fit := range []func(state uint32, gating bool) bool{
		func(state uint32, _ bool) bool { return state == stateFree },
		func(state uint32, _ bool) bool { return state&stateDurable == 0 },
		func(_ uint32, gating bool) bool { return !gating },
	} {
		for i := range MaxReaders {
			fits := func() bool { return fit(r.slot(i).Load32(slotState), r.cur.Load64(curGates)>>i&1 == 1) }
			if ok, err := r.lockIf(i, fits); err != nil || ok {
				r.cur.AndNot64(curGates, 1<<i)
				return i, false, err
			}
		}
	}
	return 0, false, fmt.Errorf("%w: %s has %d", ErrNoSlot, r.name(), MaxReaders)
}

// kept is a slot that its last reader handed over: slot and name stay locked.
type kept struct {
	name  string
	index int
}

// takeKept returns the slot that was handed over under a name, or -1.
func (r *Ring) takeKept(name string) int {
	at := slices.IndexFunc(r.kept, func(k kept) bool { return k.name == name })
	if at < 0 {
		return -1
	}
	i := r.kept[at].index
	r.kept = slices.Delete(r.kept, at, at+1)
	return i
}

// slotOf locks the slot of a durable reader whose name is locked already, or returns -1. Nobody else keeps that slot:
// a writer that looks whether its owner is dead gives it back at once, unless it is stopped just then.
func (r *Ring) slotOf(name string) (int, error) {
	for i := range MaxReaders {
		mine := func() bool { return r.slot(i).Load32(slotState)&stateDurable != 0 && r.slotNamed(i) == name }
		for range attachTries {
			if !mine() {
				break
			}
			if ok, err := r.lockIf(i, mine); err != nil || ok {
				return i, err
			}
			sys.Yield()
		}
		if mine() {
			return -1, fmt.Errorf("%w: slot of durable reader %q of %s", ErrOwned, name, r.name())
		}
	}
	return -1, nil
}

// lockIf takes slot i if it is what the caller looks for, before it has the lock and with it.
func (r *Ring) lockIf(i int, fits func() bool) (bool, error) {
	if !fits() {
		return false, nil
	}
	ok, err := r.lockSlot(i)
	if ok && !fits() {
		r.unlockSlot(i)
		return false, nil
	}
	return ok, err
}

// lockName makes o's owner the only durable reader of its name, in whatever slot. The byte is one of 2^40 that the name
// chooses.
func (r *Ring) lockName(o ReaderOptions) error {
	taken := slices.Contains(r.names, o.Name)
	if !taken && r.curFile != nil {
		ok, err := sys.LockByte(r.curFile, nameByte(o.Name))
		if err != nil {
			return err
		}
		taken = !ok
	}
	if taken {
		return fmt.Errorf("%w: durable reader %q of %s", ErrOwned, o.Name, r.name())
	}
	r.names = append(r.names, o.Name)
	return nil
}

// unlockName does nothing for a reader that is not durable.
func (r *Ring) unlockName(o ReaderOptions) {
	i := slices.Index(r.names, o.Name)
	if !o.Durable || i < 0 {
		return
	}
	r.names = slices.Delete(r.names, i, i+1)
	if r.curFile != nil {
		_ = sys.UnlockByte(r.curFile, nameByte(o.Name)) // closing the file would do the same
	}
}

func nameByte(name string) int64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return namesByte + int64(h.Sum64()>>24)
}

// lockSlot takes slot i unless a living reader has it.
func (r *Ring) lockSlot(i int) (bool, error) {
	if r.slots>>i&1 == 1 {
		return false, nil
	}
	if r.curFile != nil {
		if ok, err := sys.LockByte(r.curFile, slotByte+int64(i)); err != nil || !ok {
			return false, err
		}
	}
	r.slots |= 1 << i
	return true, nil
}

func (r *Ring) unlockSlot(i int) {
	r.slots &^= 1 << i
	if r.curFile != nil {
		_ = sys.UnlockByte(r.curFile, slotByte+int64(i)) // closing the file would do the same
	}
}

// ifDead runs fn while it holds slot i, if no living reader does.
func (r *Ring) ifDead(i int, fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok, err := r.lockSlot(i); err != nil || !ok {
		return false
	}
	if check.On {
		check.Point("reap.locked")
	}
	fn()
	if s := r.slot(i); s.Load32(slotState)&stateDurable == 0 {
		s.Store32(slotState, stateFree)
	}
	r.unlockSlot(i)
	return true
}
