package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/redis"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// The Redis lanes keep a window of entries under way to one stream each, and count what the server has accepted. After each slice, outside of
// the measured time, the entries that are in the stream are counted and held against that, and removed: they lie in memory.
const (
	redisWindow   = 1024
	redisPatience = 10 * time.Second
)

func redisOptions(s laneSpec) redis.Options {
	return redis.Options{URL: s.Broker, Stream: "pulse-bench-" + s.Name + "-" + s.Mark, Window: redisWindow, Patience: redisPatience, Weaker: true}
}

// redisStream is the stream of a lane, and the plain client.
type redisStream struct {
	key    string
	client *goredis.Client
	before uint64 // entries that were counted and removed
}

func newRedisStream(s laneSpec) (*redisStream, error) {
	o, err := goredis.ParseURL(s.Broker)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	o.MaxRetries, o.ReadTimeout, o.WriteTimeout = -1, redisPatience, redisPatience
	return &redisStream{key: redisOptions(s).Stream, client: goredis.NewClient(o)}, nil
}

// holds wants so many entries to have been put into the stream.
func (r *redisStream) holds(want uint64) error {
	ctx := context.Background()
	n, err := r.client.XLen(ctx, r.key).Result()
	if err == nil {
		err = r.client.XTrimMaxLen(ctx, r.key, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("bench: stream %s: %w", r.key, err)
	}
	if r.before += uint64(n); r.before != want {
		return fmt.Errorf("%w: %d of %d are in the stream", ErrCorrupt, r.before, want)
	}
	return nil
}

// close takes the stream away: the server may be somebody else's.
func (r *redisStream) close() error {
	return errors.Join(r.client.Del(context.Background(), r.key).Err(), r.client.Close())
}

// redisNear is the adapter's lane: an envelope each.
type redisNear struct {
	stream   *redisStream
	queue    *redis.Queue
	producer mqadapt.Producer
	batch    []mqadapt.Envelope
	out      []mqadapt.Outcome
	next     uint64 // number of the next message, from 1
	accepted uint64
}

func newRedisNear(s laneSpec, seed uint64) (*redisNear, error) {
	l := &redisNear{out: make([]mqadapt.Outcome, redisWindow), next: 1}
	var err error
	if l.stream, err = newRedisStream(s); err != nil {
		return nil, err
	}
	if l.queue, err = redis.Open(redisOptions(s)); err != nil {
		return nil, errors.Join(err, l.stream.close())
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

func (l *redisNear) run(s *slice) error {
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
		if err := errors.Join(l.settle(wait), s.look()); err != nil {
			return err
		}
	}
	for l.accepted+1 < l.next {
		if err := errors.Join(l.settle(time.Millisecond), s.look()); err != nil {
			return err
		}
	}
	s.sent = l.accepted
	return l.stream.holds(l.accepted)
}

func (l *redisNear) settle(wait time.Duration) error {
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

func (l *redisNear) close() error { return errors.Join(l.queue.Close(), l.stream.close()) }

// redisBareNear is go-redis alone: pipelines as large as the window, one after the other, of entries as large as an envelope.
type redisBareNear struct {
	stream *redisStream
	batch  [][]byte
	next   uint64
}

func newRedisBareNear(s laneSpec, seed uint64) (*redisBareNear, error) {
	r, err := newRedisStream(s)
	if err != nil {
		return nil, err
	}
	l := &redisBareNear{stream: r}
	for range redisWindow {
		l.batch = append(l.batch, newPayload(seed, seal.HeaderSize+recordHead+s.Size))
	}
	return l, nil
}

func (l *redisBareNear) run(s *slice) error {
	ctx := context.Background()
	for more := true; more; more = s.counting(s.clock.now(), l.next) {
		pipe := l.stream.client.Pipeline()
		for i, b := range l.batch {
			binary.LittleEndian.PutUint64(b, l.next+uint64(i))
			pipe.XAdd(ctx, &goredis.XAddArgs{Stream: l.stream.key, Values: []any{"e", b}})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("bench: stream %s: %w", l.stream.key, err)
		}
		l.next += uint64(len(l.batch))
		if err := s.look(); err != nil {
			return err
		}
	}
	s.sent = l.next
	return l.stream.holds(l.next)
}

func (l *redisBareNear) close() error { return l.stream.close() }

// redisShippedNear is the whole way of a hybrid channel's record: a publisher's ring, a Shipper run inline, a stream. Messages travel many in
// an envelope.
type redisShippedNear struct {
	stream  *redisStream
	queue   *redis.Queue
	out     *ringWriter
	shipper *mqadapt.Shipper
	msg     []byte
	batch   int
}

func newRedisShippedNear(s laneSpec, seed uint64) (l *redisShippedNear, err error) {
	l = &redisShippedNear{msg: newPayload(seed, s.Size), batch: s.Batch}
	if l.stream, err = newRedisStream(s); err != nil {
		return nil, err
	}
	if l.queue, err = redis.Open(redisOptions(s)); err != nil {
		return nil, errors.Join(err, l.stream.close())
	}
	var p mqadapt.Producer
	if p, err = l.queue.Producer(); err == nil {
		l.out, err = createRing(s.Path, streamCapacity)
	}
	if err == nil {
		l.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "bench", Window: redisWindow})
	}
	if err == nil {
		err = l.shipper.Add(l.out.ring)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *redisShippedNear) run(s *slice) error {
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
	st := l.shipper.Stats()
	if s.sent = l.out.writer.Seq() - 1; st.Frames != s.sent || st.Unknown+st.Rejected != 0 {
		return fmt.Errorf("%w: %d of %d are in the stream: %+v", ErrCorrupt, st.Frames, s.sent, st)
	}
	return l.stream.holds(st.Envelopes)
}

// publish commits a batch, or as much of it as the ring has room for.
func (l *redisShippedNear) publish() error {
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

func (l *redisShippedNear) close() error {
	var faults []error
	if l.shipper != nil {
		faults = append(faults, l.shipper.Close())
	}
	if l.out != nil {
		if err := l.out.ring.Close(); !errors.Is(err, ring.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(slices.Concat(faults, []error{l.queue.Close(), l.stream.close()})...)
}
