package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/alphapulse/transport/mqadapt"
)

// server is what a server says of itself.
type server struct {
	version [2]int
	told    bool   // the rest is known
	log     bool   // it has an append-only file
	sync    string // appendfsync
	evicts  string // maxmemory-policy, if that takes keys which never expire
	largest int64  // of one value; 0: unknown
}

var oldest = [2]int{6, 2} // XAUTOCLAIM, XTRIM MINID

// ask gets the facts and holds them to what is asked.
func ask(c *redis.Client, o Options) (s server, err error) {
	ctx := context.Background()
	at := c.Options().Addr
	text, err := c.Info(ctx, "server").Result()
	if err != nil {
		return s, fmt.Errorf("redis: %s: %w", at, err)
	}
	if s.version, err = versionOf(text); err != nil {
		return s, fmt.Errorf("redis: %s: %w", at, err)
	}
	if older(s.version, oldest) {
		return s, fmt.Errorf("redis: %s: version %d.%d, at least %d.%d is needed: %w", at, s.version[0], s.version[1], oldest[0], oldest[1], errors.ErrUnsupported)
	}
	if o.DropOldest && s.version[0] < 7 {
		return s, fmt.Errorf("redis: %s: version %d.%d does not tell how many entries were dropped, 7.0 does: %w", at, s.version[0], s.version[1], errors.ErrUnsupported)
	}
	values, err := settings(ctx, c, "appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "proto-max-bulk-len")
	if err != nil && !answered(err) {
		return s, fmt.Errorf("redis: %s: %w", at, err)
	}
	s.told = err == nil
	s.log, s.sync = values["appendonly"] == "yes", values["appendfsync"]
	if strings.HasPrefix(values["maxmemory-policy"], "allkeys-") && values["maxmemory"] != "0" {
		s.evicts = values["maxmemory-policy"]
	}
	s.largest, _ = strconv.ParseInt(values["proto-max-bulk-len"], 10, 64) // 0: it does not say
	if weaker := s.weaker(o.Durability); weaker != nil && !o.Weaker {
		return s, fmt.Errorf("redis: %s: %w, %s: %w", at, ErrWeaker, o.Durability, weaker)
	}
	return s, nil
}

// settings reads some of the server's settings.
func settings(ctx context.Context, c *redis.Client, names ...string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names { // one by one: several at once are of Redis 7
		m, err := c.ConfigGet(ctx, name).Result()
		if err != nil {
			return values, err
		}
		for k, v := range m {
			values[k] = v
		}
	}
	return values, nil
}

// answered reports whether an error is an answer of the server, and the link is sound.
func answered(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok && !errors.Is(err, redis.Nil)
}

func (s server) durability() mqadapt.Durability {
	switch {
	case !s.told || !s.log || s.evicts != "":
		return mqadapt.Memory
	case s.sync == "always":
		return mqadapt.OS
	}
	return mqadapt.Process
}

// weaker says why the server does not give a durability.
func (s server) weaker(d mqadapt.Durability) error {
	switch {
	case d == mqadapt.Memory && s.evicts == "":
		return nil
	case !s.told && d == mqadapt.Memory:
		return nil
	case !s.told:
		return errors.New("CONFIG GET is refused, so nobody knows")
	case s.evicts != "":
		return fmt.Errorf("maxmemory-policy %s throws streams away: CONFIG SET maxmemory-policy noeviction", s.evicts)
	case !s.log:
		return errors.New("there is no append-only file: CONFIG SET appendonly yes")
	case d == mqadapt.OS && s.sync != "always":
		return fmt.Errorf("appendfsync is %s: CONFIG SET appendfsync always", s.sync)
	}
	return nil
}

// versionOf takes the version from what INFO says. Valkey says which Redis it is like.
func versionOf(info string) (v [2]int, err error) {
	for line := range strings.Lines(info) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:")
		if !ok {
			continue
		}
		major, rest, _ := strings.Cut(text, ".")
		minor, _, _ := strings.Cut(rest, ".")
		if v[0], err = strconv.Atoi(major); err == nil {
			v[1], err = strconv.Atoi(minor)
		}
		if err != nil || v[0] < 0 || v[1] < 0 {
			return v, fmt.Errorf("version %q", text)
		}
		return v, nil
	}
	return v, errors.New("no version in what INFO says: is it a Redis?")
}

func older(a, b [2]int) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }
