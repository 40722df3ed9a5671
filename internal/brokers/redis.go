package brokers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// recipes are how each kind is run.
var recipes = map[Kind]*recipe{}

func init() {
	recipes[KindRedis] = &recipe{kind: KindRedis, env: "PULSE_REDIS", ports: 1, patience: 30 * time.Second,
		settle: func(*Broker) error { return nil }, command: redisCommand, probe: probeRedis, url: func(b *Broker) string { return "redis://" + b.Addr() }}
}

// Redis starts a private Redis, or Valkey where that is installed instead, with an append-only file that is synced every second. Everything
// else can be set while it runs (CONFIG SET).
func Redis(dir string) (*Broker, error) { return open(recipes[KindRedis], dir) }

func redisCommand(b *Broker) (*exec.Cmd, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return exec.Command(path, "--port", strconv.Itoa(b.Ports[0]), "--bind", "127.0.0.1", "--dir", b.Dir, "--appendonly", "yes",
				"--appendfsync", "everysec", "--save", "", "--daemonize", "no"), nil
		}
	}
	return nil, fmt.Errorf("%w: neither redis-server nor valkey-server: scripts/setup.sh brokers", ErrMissing)
}

// probeRedis asks for a PONG: while it loads its file, Redis answers something else.
func probeRedis(ctx context.Context, addr string) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("answers %q", line)
	}
	return err
}

// dial connects; every read and write ends with ctx's deadline.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(end); err != nil {
			return nil, err
		}
	}
	return c, nil
}
