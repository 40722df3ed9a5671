package bench

import "context"

// Observe streams 64-byte messages from a Publisher to a Subscriber of another process that is watched: each side's process puts what it knows
// into its stats file and reads all files once in ten slices. The baseline "unwatched" has no stats file; a ratio below 1 is what observation
// costs. Variants: "oneway", at Setup.Rate messages a second (100 000 unless told otherwise) from the intended instant, against
// "unwatched-oneway"; "udp", a stream over UDP whose workers say how old messages are, against "unwatched-udp".
type Observe struct{ Setup Setup }

// Run measures what observation costs.
func (w Observe) Run(ctx context.Context) (*Report, error) {
	s, err := w.Setup.filled(payloadSize, true)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	lane := func(name, kind, pattern string, watched bool) laneSpec {
		l := laneSpec{Name: name, Kind: kind, Pattern: pattern, Size: payloadSize, Batch: batchSize, Watched: watched}
		if pattern == patternOneWay {
			l.Batch, l.Rate = 1, s.Rate
		}
		return l
	}
	beside := func(other string, l laneSpec) laneSpec {
		l.Beside = other
		return l
	}
	r, err := run(ctx, s, plan{
		name: "observe", subject: "watched", against: []string{"unwatched"},
		variants: map[string]variant{"oneway": {"oneway", []string{"unwatched-oneway"}}, "udp": {"udp", []string{"unwatched-udp"}}},
		lanes: []laneSpec{
			lane("watched", kindNode, patternStream, true), beside("watched", lane("unwatched", kindNode, patternStream, false)),
			lane("udp", kindUDP, patternStream, true), lane("unwatched-udp", kindUDP, patternStream, false),
			lane("oneway", kindNode, patternOneWay, true), beside("oneway", lane("unwatched-oneway", kindNode, patternOneWay, false)),
		},
	})
	if r != nil {
		r.Rate = s.Rate
	}
	return r, err
}
