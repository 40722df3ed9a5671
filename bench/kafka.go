package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/kafka"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// The Kafka lanes keep a window of records under way to one topic each, of one partition, and count what all replicas in sync have accepted.
// After each slice, outside of the measured time, the records that are in the topic are counted and held against that.
const (
	kafkaWindow   = 1024
	kafkaPatience = 10 * time.Second
)

func kafkaOptions(s laneSpec) kafka.Options {
	return kafka.Options{Brokers: strings.Split(s.Broker, ","), Topic: "pulse-bench-" + s.Name + "-" + s.Mark, Window: kafkaWindow,
		Retention: time.Hour}
}

// kafkaTopic is the topic of a lane, and what is known of it.
type kafkaTopic struct {
	name   string
	client *kgo.Client
	ask    *kadm.Client
}

func newKafkaTopic(s laneSpec) (*kafkaTopic, error) {
	o := kafkaOptions(s)
	ctx, cancel := context.WithTimeout(context.Background(), kafkaPatience)
	defer cancel()
	if _, err := kafka.Provision(ctx, o, false); err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	return &kafkaTopic{o.Topic, cl, kadm.NewClient(cl)}, nil
}

// holds wants so many records in the topic.
func (t *kafkaTopic) holds(want uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), kafkaPatience)
	defer cancel()
	ends, err := t.ask.ListEndOffsets(ctx, t.name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("bench: topic %s: %w", t.name, err)
	}
	if end, _ := ends.Lookup(t.name, 0); uint64(end.Offset) != want {
		return fmt.Errorf("%w: %d of %d are in the topic", ErrCorrupt, end.Offset, want)
	}
	return nil
}

// close takes the topic away: the broker may be somebody else's.
func (t *kafkaTopic) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), kafkaPatience)
	defer cancel()
	_, err := t.ask.DeleteTopic(ctx, t.name)
	t.client.Close()
	return err
}

// kafkaNear is the adapter's lane: an envelope each.
type kafkaNear struct {
	topic    *kafkaTopic
	queue    *kafka.Queue
	producer mqadapt.Producer
	batch    []mqadapt.Envelope
	out      []mqadapt.Outcome
	next     uint64 // number of the next message, from 1
	accepted uint64
}

func newKafkaNear(s laneSpec, seed uint64) (*kafkaNear, error) {
	l := &kafkaNear{out: make([]mqadapt.Outcome, kafkaWindow), next: 1}
	var err error
	if l.topic, err = newKafkaTopic(s); err != nil {
		return nil, err
	}
	if l.queue, err = kafka.Open(kafkaOptions(s)); err != nil {
		return nil, errors.Join(err, l.topic.close())
	}
	if l.producer, err = l.queue.Producer(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	payload := newPayload(seed, s.Size)
	for range s.Batch {
		body := make([]byte, recordHead+s.Size)
		binary.LittleEndian.PutUint64(body, uint64(len(body)))
		copy(body[recordHead:], payload)
		l.batch = append(l.batch, mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: 1, Epoch: 1}, Body: body})
	}
	return l, nil
}

func (l *kafkaNear) run(s *slice) error {
	for more := true; more; more = s.counting(s.clock.now(), l.accepted) {
		for i := range l.batch {
			e := &l.batch[i]
			e.Seq = l.next + uint64(i)
			binary.LittleEndian.PutUint64(e.Body[recordHead:], e.Seq)
		}
		n, err := l.producer.Put(l.batch)
		if err != nil {
			return err
		}
		l.next += uint64(n)
		wait := time.Duration(0)
		if n < len(l.batch) {
			wait = time.Millisecond
		}
		if err := l.settle(wait); err != nil {
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	for l.accepted+1 < l.next {
		if err := errors.Join(l.settle(time.Millisecond), s.look()); err != nil {
			return err
		}
	}
	s.sent = l.accepted
	return l.topic.holds(l.accepted)
}

func (l *kafkaNear) settle(wait time.Duration) error {
	n, err := l.producer.Settle(l.out, wait)
	if err != nil {
		return err
	}
	for i := range l.out[:n] {
		if l.out[i].Verdict != mqadapt.Accepted {
			return fmt.Errorf("bench: %s: %w", l.out[i].Verdict, l.out[i].Why)
		}
	}
	l.accepted += uint64(n)
	return nil
}

func (l *kafkaNear) close() error { return errors.Join(l.queue.Close(), l.topic.close()) }

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
	l := &kafkaBareNear{free: make(chan *kgo.Record, kafkaWindow), failed: make(chan error, 1), look: time.NewTicker(time.Second), batch: s.Batch}
	var err error
	if l.topic, err = newKafkaTopic(s); err != nil {
		return nil, err
	}
	o := kafkaOptions(s)
	l.client, err = kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.DisableClientMetrics(), kgo.DefaultProduceTopic(o.Topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(2*kafkaWindow), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return nil, errors.Join(err, l.topic.close())
	}
	for range kafkaWindow {
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
	s.sent = l.next
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

// kafkaShippedNear is the whole way of a hybrid channel's record: a publisher's ring, a Shipper run inline, a topic. Messages travel many in
// an envelope.
type kafkaShippedNear struct {
	topic   *kafkaTopic
	queue   *kafka.Queue
	out     *ringWriter
	shipper *mqadapt.Shipper
	msg     []byte
	batch   int
}

func newKafkaShippedNear(s laneSpec, seed uint64) (l *kafkaShippedNear, err error) {
	l = &kafkaShippedNear{msg: newPayload(seed, s.Size), batch: s.Batch}
	if l.topic, err = newKafkaTopic(s); err != nil {
		return nil, err
	}
	if l.queue, err = kafka.Open(kafkaOptions(s)); err != nil {
		return nil, errors.Join(err, l.topic.close())
	}
	var p mqadapt.Producer
	if p, err = l.queue.Producer(); err == nil {
		l.out, err = createRing(s.Path, streamCapacity)
	}
	if err == nil {
		l.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "bench", Window: kafkaWindow})
	}
	if err == nil {
		err = l.shipper.Add(l.out.ring)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *kafkaShippedNear) run(s *slice) error {
	for more := true; more; more = s.counting(s.clock.now(), l.shipper.Stats().Frames) {
		if err := l.publish(); err != nil {
			return err
		}
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	for !l.shipper.Idle() {
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	if s.sent = l.out.writer.Seq() - 1; l.shipper.Stats().Frames != s.sent {
		return fmt.Errorf("%w: %d of %d are in the topic", ErrCorrupt, l.shipper.Stats().Frames, s.sent)
	}
	return nil
}

// publish commits batches until the ring has no room for one.
func (l *kafkaShippedNear) publish() error {
	for range l.batch {
		b, err := l.out.writer.Claim(len(l.msg))
		if errors.Is(err, ring.ErrFull) {
			break
		}
		if err != nil {
			return err
		}
		copy(b, l.msg)
		binary.LittleEndian.PutUint64(b, l.out.writer.Seq())
		if err := l.out.writer.Stage(len(b)); err != nil {
			return err
		}
	}
	l.out.writer.Flush()
	return nil
}

func (l *kafkaShippedNear) close() error {
	var faults []error
	if l.shipper != nil {
		faults = append(faults, l.shipper.Close())
	}
	if l.out != nil {
		if err := l.out.ring.Close(); !errors.Is(err, ring.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(slices.Concat(faults, []error{l.queue.Close(), l.topic.close()})...)
}
