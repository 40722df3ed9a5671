package journal

import (
	"testing"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/queuetest"
)

func TestJournalIsAQueue(t *testing.T) {
	for _, d := range []mqadapt.Durability{mqadapt.Process, mqadapt.Memory, mqadapt.OS} {
		t.Run(d.String(), func(t *testing.T) {
			with := func(o Options) func(t *testing.T) func() (mqadapt.Queue, error) {
				return func(t *testing.T) func() (mqadapt.Queue, error) {
					o.Dir, o.Durability = bedDir(t), d
					return func() (mqadapt.Queue, error) { return Open(o) }
				}
			}
			queuetest.Run(t, queuetest.Bed{
				New:       with(Options{Segment: leastSegment}),
				Bounded:   with(Options{Segment: leastSegment, MaxBytes: 3 * leastSegment}),
				Full:      3 * leastSegment / 1000,
				Exclusive: true,
			})
		})
	}
}
