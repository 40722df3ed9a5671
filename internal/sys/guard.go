package sys

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// faults lists the mappings whose loss is an error of their owner and not of the program.
var faults struct {
	sync.Mutex
	spans []faultSpan
}

type faultSpan struct {
	from, to uintptr
	err      error
}

func watchFault(from, to uintptr, err error) {
	faults.Lock()
	defer faults.Unlock()
	faults.spans = append(faults.spans, faultSpan{from, to, err})
}

func unwatchFault(from uintptr) {
	faults.Lock()
	defer faults.Unlock()
	for i, s := range faults.spans {
		if s.from == from {
			faults.spans = append(faults.spans[:i], faults.spans[i+1:]...)
			return
		}
	}
}

func faultError(addr uintptr) error {
	faults.Lock()
	defer faults.Unlock()
	for _, s := range faults.spans {
		if addr >= s.from && addr < s.to {
			return s.err
		}
	}
	return nil
}

// Guard runs fn. A memory fault inside a mapping that names an error (Mapping.OnFault) ends fn and returns that error:
// a file truncated by somebody stops the loop that reads it and not the process. Every other panic goes on.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = fromPanic(p)
		}
	}()
	return fn()
}

func fromPanic(p any) error {
	fault, ok := p.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok {
		panic(p)
	}
	if err := faultError(fault.Addr()); err != nil {
		return err
	}
	panic(p)
}
