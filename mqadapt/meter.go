package mqadapt

import (
	"time"

	"github.com/alphapulse/transport/seal"
)

// meterEvery is over how long a rate is taken.
const meterEvery = 20 * time.Millisecond

// meter tells a codec that chooses for itself how the queue does.
type meter struct {
	observer seal.Observer // nil: nobody wants to know
	bytes    int64         // accepted since
	since    time.Time
	rate     int64 // a second; 0: not known
}

func newMeter(c seal.Codec) meter {
	o, _ := c.(seal.Observer)
	return meter{observer: o}
}

// accepted counts what the queue has.
func (m *meter) accepted(bytes int) { m.bytes += int64(bytes) }

// observe says what waits, before it is packed.
func (m *meter) observe(waiting uint64, now time.Time) {
	switch passed := now.Sub(m.since); {
	case m.since.IsZero() || waiting == 0: // what is not asked for is no measure
		m.since, m.bytes = now, 0
	case passed >= meterEvery:
		m.rate = int64(float64(m.bytes) / passed.Seconds())
		m.since, m.bytes = now, 0
	}
	m.observer.Observe(int64(waiting), m.rate)
}
