package brokers

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func init() {
	recipes[KindRabbitMQ] = &recipe{kind: KindRabbitMQ, env: "PULSE_RABBITMQ", ports: 4, patience: 90 * time.Second,
		settle: rabbitSettle, command: rabbitCommand, probe: probeRabbit, first: rabbitFlags,
		url: func(b *Broker) string { return "amqp://guest:guest@" + b.Addr() + "/" }}
}

// Ports of a RabbitMQ, by index.
const (
	rabbitAMQP = iota
	rabbitDist
	rabbitStream
	rabbitEpmd
)

// rabbitBins are where Debian, and archives of RabbitMQ, have the real scripts: the one in PATH is a wrapper that changes the user.
var rabbitBins = []string{"/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/rabbitmq/sbin"}

// RabbitMQ starts a private RabbitMQ with quorum queues and streams. Its name service (epmd) is its own, too.
func RabbitMQ(dir string) (*Broker, error) { return open(recipes[KindRabbitMQ], dir) }

// RabbitCtl runs rabbitmqctl against a private RabbitMQ and returns what it says.
func (b *Broker) RabbitCtl(args ...string) (string, error) {
	path, err := rabbitScript("rabbitmqctl")
	if err != nil {
		return "", fmt.Errorf("brokers: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.recipe.patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"--quiet"}, args...)...)
	cmd.Env = rabbitEnv(b)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("brokers: rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func rabbitFlags(b *Broker) error {
	_, err := b.RabbitCtl("enable_feature_flag", "all") // of a new node those of quorum queues and streams are off in 3.10
	return err
}

func rabbitScript(name string) (string, error) {
	for _, dir := range rabbitBins {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: no %s in %s: scripts/setup.sh brokers", ErrMissing, name, strings.Join(rabbitBins, ", "))
}

func rabbitSettle(b *Broker) error {
	conf := fmt.Sprintf("listeners.tcp.1 = 127.0.0.1:%d\nstream.listeners.tcp.1 = 127.0.0.1:%d\n"+
		"vm_memory_high_watermark.absolute = 1GiB\ndisk_free_limit.absolute = 200MB\n", b.Ports[rabbitAMQP], b.Ports[rabbitStream])
	if err := os.WriteFile(filepath.Join(b.Dir, "rabbitmq.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Dir, "enabled_plugins"), []byte("[rabbitmq_stream].\n"), 0o600)
}

func rabbitEnv(b *Broker) []string {
	at, port := b.Dir, func(i int) string { return strconv.Itoa(b.Ports[i]) }
	return append(os.Environ(), "HOME="+at, "RABBITMQ_BASE="+at, "RABBITMQ_NODENAME=pulse"+port(rabbitAMQP)+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+port(rabbitAMQP), "RABBITMQ_DIST_PORT="+port(rabbitDist),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(at, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(at, "log"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(at, "rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(at, "enabled_plugins"), "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+port(rabbitEpmd),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}", "LC_ALL=C.UTF-8")
}

// rabbitCommand runs the name service in the broker's group, in the foreground: the one that Erlang would start leaves the group.
func rabbitCommand(b *Broker) (*exec.Cmd, error) {
	path, err := rabbitScript("rabbitmq-server")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", `epmd & exec "$0"`, path)
	cmd.Env = rabbitEnv(b)
	return cmd, nil
}

// probeRabbit says the protocol's name and wants to hear the first method of a connection (AMQP 0-9-1, 4.2.2): a frame of type 1.
func probeRabbit(ctx context.Context, addr string) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	var head [7]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if head[0] != 1 {
		return fmt.Errorf("answers %q", head)
	}
	return nil
}
