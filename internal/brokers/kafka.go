package brokers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func init() {
	recipes[KindKafka] = kafkaRecipe(nil)
}

// Ports of a Kafka, by index.
const (
	kafkaClients = iota
	kafkaController
	kafkaSecure
	kafkaPorts
)

func kafkaRecipe(settings []string) *recipe {
	return &recipe{kind: KindKafka, env: "PULSE_KAFKA", ports: kafkaPorts, patience: 90 * time.Second,
		settle: func(b *Broker) error { return kafkaSettle(b, settings) }, command: kafkaCommand, probe: probeKafka,
		url: func(b *Broker) string { return b.Addr() }}
}

// Kafka starts a private broker of Apache Kafka: one node that is its own controller, of the jars that KafkaJars has. Nobody's topics are
// made on demand, and a group that is new waits for nobody. settings are lines that its properties end with; a listener called SECURE is
// there if they say what it speaks (listener.security.protocol.map has to name all three: CONTROLLER and PLAINTEXT are PLAINTEXT).
func Kafka(dir string, settings ...string) (*Broker, error) { return open(kafkaRecipe(settings), dir) }

// SecureAddr is the address of the listener called SECURE of a private Kafka that was told what it speaks.
func (b *Broker) SecureAddr() string { return kafkaAt(b, kafkaSecure) }

func kafkaAt(b *Broker, i int) string { return fmt.Sprintf("127.0.0.1:%d", b.Ports[i]) }

// kafkaSettle writes the properties, and gives a directory that has none its cluster: without that a broker refuses it.
func kafkaSettle(b *Broker, settings []string) error {
	listeners, secure := "PLAINTEXT://"+kafkaAt(b, kafkaClients), ""
	for _, line := range settings {
		if strings.HasPrefix(line, "listener.security.protocol.map=") {
			secure = ",SECURE://" + kafkaAt(b, kafkaSecure)
		}
	}
	lines := []string{
		"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + kafkaAt(b, kafkaController),
		"listeners=" + listeners + ",CONTROLLER://" + kafkaAt(b, kafkaController) + secure, "advertised.listeners=" + listeners + secure,
		"controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAINTEXT",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "log.dirs=" + filepath.Join(b.Dir, "data"),
		"auto.create.topics.enable=false", "group.initial.rebalance.delay.ms=0", "num.recovery.threads.per.data.dir=1",
		"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", // a killed one is let in again that soon
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=2",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=2",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"log.cleaner.dedupe.buffer.size=8388608", "log.cleaner.threads=1",
	}
	text := strings.Join(append(lines, settings...), "\n") + "\n"
	if err := os.WriteFile(kafkaProperties(b), []byte(text), 0o600); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.Dir, "data", "meta.properties")); err == nil {
		return nil
	}
	cmd, err := kafkaJava("kafka.tools.StorageTool", "format", "-t", kafkaCluster, "-c", kafkaProperties(b))
	if err != nil {
		return err
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}

const kafkaCluster = "cHVsc2UtcHVsc2UtcHVscw" // 16 bytes, base64

func kafkaProperties(b *Broker) string { return filepath.Join(b.Dir, "server.properties") }

func kafkaCommand(b *Broker) (*exec.Cmd, error) { return kafkaJava("kafka.Kafka", kafkaProperties(b)) }

// kafkaJava runs a class of the jars in little memory, compiled no further than a short life is worth.
func kafkaJava(class string, args ...string) (*exec.Cmd, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("%w: java: scripts/setup.sh brokers", ErrMissing)
	}
	jars, err := KafkaJars(context.Background())
	if err != nil {
		return nil, err
	}
	return exec.Command(java, append([]string{"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(jars, "*"), class}, args...)...), nil
}

// probeKafka asks for metadata (key 3, version 1, of all topics) and wants to hear of a broker: there is none before it has joined the
// cluster.
func probeKafka(ctx context.Context, addr string) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	const client = "pulse"
	var b []byte
	b = binary.BigEndian.AppendUint16(b, 3)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint32(b, 7) // comes back with the answer
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(client))), client...)
	b = binary.BigEndian.AppendUint32(b, 0xffff_ffff) // no list: all
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return err
	}
	var head [12]byte // size, what was to come back, how many brokers
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if n := binary.BigEndian.Uint32(head[8:]); binary.BigEndian.Uint32(head[4:]) != 7 || n == 0 || n > 1<<10 {
		return errors.New("it knows of no broker yet")
	}
	return nil
}
