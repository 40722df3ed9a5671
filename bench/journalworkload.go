package bench

import (
	"context"
	"os"
)

// MQJournal puts 64-byte messages into a journal at process-crash durability, an entry each, 32 at a time; what counts is accepted. The
// baseline "bare" writes the same bytes in the same batches one after the other into preallocated files. Variants: "1KiB", larger messages,
// with "bare-1KiB" and "each-1KiB", a write for each message; "os-crash", a sync for each batch of 256, with "bare-os-crash"; "ring", the
// whole way from a publisher's ring by a Shipper, many messages in an entry.
type MQJournal struct{ Setup Setup }

// syncBatch is how many messages share a sync.
const syncBatch = 256

// Run measures the journal. Its files are where TMPDIR says, unless Setup.Dir does: on a disk, where a journal belongs.
func (w MQJournal) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	if s.Dir == "" {
		s.Dir = os.TempDir()
	}
	lane := func(name, kind string, size, batch int) laneSpec {
		return laneSpec{Name: name, Kind: kind, Pattern: patternStream, Size: size, Batch: batch}
	}
	synced := func(s laneSpec) laneSpec {
		s.Synced = true
		return s
	}
	return run(ctx, s, plan{
		name: "mq/journal", subject: "journal", against: []string{"bare"},
		variants: map[string]variant{
			"1KiB": {"1KiB", []string{"bare-1KiB", "each-1KiB"}}, "os-crash": {"os-crash", []string{"bare-os-crash"}}, "ring": {"ring", []string{"bare"}},
		},
		lanes: []laneSpec{
			lane("ring", kindShipped, payloadSize, batchSize), lane("bare", kindFile, payloadSize, batchSize), lane("journal", kindJournal, payloadSize, batchSize),
			lane("each-1KiB", kindFile, 1024, 1), lane("1KiB", kindJournal, 1024, batchSize), lane("bare-1KiB", kindFile, 1024, batchSize),
			synced(lane("os-crash", kindJournal, payloadSize, syncBatch)), synced(lane("bare-os-crash", kindFile, payloadSize, syncBatch)),
		},
	})
}
