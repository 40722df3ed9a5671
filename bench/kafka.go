package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/kafka"
	"github.com/alphapulse/transport/seal"
)

// kafkaTopic is the topic of a lane, of one partition, and the plain client.
type kafkaTopic struct {
	options kafka.Options
	client  *kgo.Client
	ask     *kadm.Client
}

func newKafkaTopic(s laneSpec) (*kafkaTopic, error) {
	o := kafka.Options{Brokers: strings.Split(s.Broker, ","), Topic: depotName(s), Window: brokerWindow, Retention: time.Hour}
	ctx, cancel := context.WithTimeout(context.Background(), brokerPatience)
	defer cancel()
	if _, err := kafka.Provision(ctx, o, false); err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	return &kafkaTopic{o, cl, kadm.NewClient(cl)}, nil
}

func (t *kafkaTopic) open() (mqadapt.Queue, error) {
	q, err := kafka.Open(t.options)
	if err != nil {
		return nil, err // not a nil *Queue in an interface
	}
	return q, nil
}

// holds wants so many records in the topic.
func (t *kafkaTopic) holds(want uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), brokerPatience)
	defer cancel()
	ends, err := t.ask.ListEndOffsets(ctx, t.options.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("bench: topic %s: %w", t.options.Topic, err)
	}
	if end, _ := ends.Lookup(t.options.Topic, 0); uint64(end.Offset) != want {
		return fmt.Errorf("%w: %d of %d are in the topic", ErrCorrupt, end.Offset, want)
	}
	return nil
}

// close takes the topic away: the broker may be somebody else's.
func (t *kafkaTopic) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), brokerPatience)
	defer cancel()
	_, err := t.ask.DeleteTopic(ctx, t.options.Topic)
	t.client.Close()
	return err
}

// kafkaBareNear is franz-go alone, as its documentation has it quick: records that are used again, one promise for all, the same window, the
// same acknowledgement, no compression, as many bytes in a record as an envelope has.
type kafkaBareNear struct {
	topic   *kafkaTopic
	client  *kgo.Client
	free    chan *kgo.Record // those that are not under way
	promise func(*kgo.Record, error)
	failed  chan error
	look    *time.Ticker
	next    uint64
	batch   int
}

func newKafkaBareNear(s laneSpec, seed uint64) (*kafkaBareNear, error) {
	l := &kafkaBareNear{free: make(chan *kgo.Record, brokerWindow), failed: make(chan error, 1), look: time.NewTicker(time.Second), batch: s.Batch}
	var err error
	if l.topic, err = newKafkaTopic(s); err != nil {
		return nil, err
	}
	o := l.topic.options
	l.client, err = kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.DisableClientMetrics(), kgo.DefaultProduceTopic(o.Topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(2*brokerWindow), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return nil, errors.Join(err, l.topic.close())
	}
	for range brokerWindow {
		l.free <- &kgo.Record{Value: newPayload(seed, seal.HeaderSize+recordHead+s.Size)}
	}
	l.promise = func(r *kgo.Record, err error) {
		if err != nil {
			select {
			case l.failed <- err:
			default:
			}
		}
		*r = kgo.Record{Value: r.Value}
		l.free <- r
	}
	return l, nil
}

func (l *kafkaBareNear) run(s *slice) error {
	before := l.next
	for more := true; more; more = s.counting(s.clock.now(), l.next-uint64(cap(l.free)-len(l.free))) {
		for range l.batch {
			r, err := l.take(s)
			if err != nil {
				return err
			}
			l.next++
			binary.LittleEndian.PutUint64(r.Value, l.next)
			l.client.TryProduce(context.Background(), r, l.promise)
		}
	}
	for len(l.free) < cap(l.free) {
		if err := s.look(); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	s.sent = l.next - before
	return l.topic.holds(l.next)
}

// take waits for a record that is free.
func (l *kafkaBareNear) take(s *slice) (*kgo.Record, error) {
	for {
		select {
		case r := <-l.free:
			return r, nil
		case err := <-l.failed:
			return nil, err
		case <-l.look.C:
			if err := s.look(); err != nil {
				return nil, err
			}
		}
	}
}

func (l *kafkaBareNear) close() error {
	l.look.Stop()
	l.client.Close()
	return l.topic.close()
}
