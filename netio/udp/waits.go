package udp

import "time"

// Waits is how long messages lay in a line's socket before they were taken, by the kernel's stamps (SO_TIMESTAMPING). It tells a worker
// that comes too seldom from a network that is slow. With UDP_GRO a message is several datagrams, and its stamp the first one's.
type Waits struct {
	Messages uint64        // that were stamped
	Device   uint64        // of them, stamped by the device: by its clock, so nothing is said of their wait
	Mean     time.Duration // of the others
	Max      time.Duration
}

// waits adds them up.
type waits struct {
	Waits
	sum time.Duration
	now int64 // when the batch at hand was taken, in nanoseconds since 1970, as the kernel's stamps are
}

func (w *waits) add(at int64, device bool) {
	switch {
	case at == 0:
		return
	case device:
		w.Device++
	default:
		d := max(time.Duration(w.now-at), 0) // below 0 when the clock was set meanwhile
		w.sum += d
		w.Max = max(w.Max, d)
	}
	w.Messages++
}

// Waits returns what line i's stamps say, if Socket.Timestamps asked for them. It belongs to the receiver's goroutine.
func (r *Receiver) Waits(i int) Waits {
	w := &r.lines[i].waits
	if n := w.Messages - w.Device; n > 0 {
		w.Mean = w.sum / time.Duration(n)
	}
	return w.Waits
}
