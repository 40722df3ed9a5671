package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/redis"
	"github.com/alphapulse/transport/seal"
)

// redisStream is the stream of a lane, and the plain client. What was counted is removed: it lies in memory.
type redisStream struct {
	key    string
	url    string
	client *goredis.Client
	before uint64 // entries that were counted and removed
}

func newRedisStream(s laneSpec) (*redisStream, error) {
	o, err := goredis.ParseURL(s.Broker)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	o.MaxRetries, o.ReadTimeout, o.WriteTimeout = -1, brokerPatience, brokerPatience
	return &redisStream{key: depotName(s), url: s.Broker, client: goredis.NewClient(o)}, nil
}

func (r *redisStream) open() (mqadapt.Queue, error) {
	q, err := redis.Open(redis.Options{URL: r.url, Stream: r.key, Window: brokerWindow, Patience: brokerPatience, Weaker: true})
	if err != nil {
		return nil, err // not a nil *Queue in an interface
	}
	return q, nil
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
	for range brokerWindow {
		l.batch = append(l.batch, newPayload(seed, seal.HeaderSize+recordHead+s.Size))
	}
	return l, nil
}

func (l *redisBareNear) run(s *slice) error {
	ctx := context.Background()
	before := l.next
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
	s.sent = l.next - before
	return l.stream.holds(l.next)
}

func (l *redisBareNear) close() error { return l.stream.close() }
