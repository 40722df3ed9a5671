package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alphapulse/transport/internal/brokers"
)

// Compare holds queues against direct ways. The subject is what a publisher spends on 256 messages of 64 bytes that a Shipper carries into a
// journal, beside the baselines "local", a ring with one gating reader that spins, and "local-naps", one that sleeps between two looks as a
// Shipper does; the variants "publish-NAME" are the same for other carriages, at most 500 batches a second for all. The variants "ring", "tcp", "journal" and each broker that there is are whole ways from a publisher to a
// subscriber: messages per second that were confirmed and read, and how long one message alone takes to be read, each beside the ring's.
type Compare struct{ Setup Setup }

const (
	compareFor   = 30 * time.Second
	compareSlice = 50 * time.Millisecond // many times what the slowest message takes
	compareRate  = 500                   // batches per second

	publishPrefix = "publish-"
	alonePrefix   = "alone-" // the lanes of one message at a time, which a report does not show by themselves
	localName     = "local"
	napsName      = "local-naps"
	ringName      = "ring"
)

// Run measures all carriages that are there. A broker is the one that PULSE_REDIS, PULSE_KAFKA or PULSE_RABBITMQ names, or a private one; the
// report notes those that are missing. The journal's files are where TMPDIR says, unless Setup.Dir does.
func (w Compare) Run(ctx context.Context) (report *Report, err error) {
	s, err := w.Setup.filled(payloadSize, false)
	if err == nil {
		err = fixedSize(s, payloadSize)
	}
	if err != nil {
		return nil, err
	}
	if w.Setup.For == 0 {
		s.For = compareFor
	}
	if w.Setup.Slice == 0 {
		s.Slice = compareSlice
	}
	if s.Dir == "" {
		s.Dir = os.TempDir()
	}
	s.patience = max(s.patience, brokerPatience)
	defer func() { err = errors.Join(err, brokers.StopAll()) }()
	mark := fmt.Sprint(time.Now().UnixNano())
	all := []carriage{{name: ringName, kind: kindRing}, {name: "tcp", kind: kindTCP}, {name: string(queueJournal), kind: kindQueue, queue: queueJournal}}
	var notes []string
	for _, k := range brokers.Kinds() {
		b, err := brokers.Use(k)
		switch {
		case errors.Is(err, brokers.ErrMissing):
			notes = append(notes, fmt.Sprintf("%s is not measured: %s", k, err))
		case err != nil:
			return nil, fmt.Errorf("bench: %w", err)
		default:
			all = append(all, carriage{string(k), kindQueue, k, b.URL, mark})
		}
	}
	r, err := run(ctx, s, comparePlan(all))
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, notes...)
	for _, c := range all {
		r.joinAlone(c.name)
	}
	return r, nil
}

// carriage is one way to a subscriber.
type carriage struct {
	name, kind string
	queue      brokers.Kind
	url, mark  string
}

func (c carriage) lane(prefix, pattern string) laneSpec {
	return laneSpec{Name: prefix + c.name, Kind: c.kind, Pattern: pattern, Size: payloadSize, Batch: batchSize, Queue: c.queue, Broker: c.url, Mark: c.mark}
}

// comparePlan has the lanes of one kind side by side.
func comparePlan(all []carriage) plan {
	p := plan{name: "compare", subject: publishPrefix + string(queueJournal), against: []string{localName, napsName}, variants: map[string]variant{}}
	for _, c := range all {
		p.lanes = append(p.lanes, c.lane("", patternFlood))
		p.variants[c.name] = variant{c.name, []string{ringName}}
	}
	for _, c := range all {
		alone := c.lane(alonePrefix, patternArrive)
		p.lanes = append(p.lanes, alone)
		p.variants[alone.Name] = variant{alone.Name, []string{alonePrefix + ringName}}
	}
	for _, c := range all {
		publish := c.lane(publishPrefix, patternPublish)
		publish.Rate = compareRate
		switch {
		case c.name == ringName:
			naps := publish
			naps.Name, naps.Naps = napsName, true
			publish.Name = localName
			p.lanes = append(p.lanes, naps)
		case publish.Name != p.subject:
			p.variants[publish.Name] = variant{publish.Name, p.against}
		}
		p.lanes = append(p.lanes, publish)
	}
	return p
}

// joinAlone makes one variant of a carriage's two: the rate of its stream, the latencies of its messages alone.
func (r *Report) joinAlone(name string) {
	alone, v := r.Variants[alonePrefix+name], r.Variants[name]
	delete(r.Variants, alonePrefix+name)
	v.Subject.Latency = alone.Subject.Latency
	ratio := alone.Ratio[alonePrefix+ringName]
	ratio.PerSec = v.Ratio[ringName].PerSec
	v.Ratio = map[string]Ratio{}
	if name != ringName { // which is 1
		v.Ratio[ringName] = ratio
	}
	r.Variants[name] = v
}
