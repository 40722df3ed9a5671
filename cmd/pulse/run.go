package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/mqadapt/kafka"
	"github.com/alphapulse/transport/mqadapt/rabbitmq"
	"github.com/alphapulse/transport/mqadapt/redis"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/express"
	"github.com/alphapulse/transport/netio/quic"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/xdp"
)

// media are all that there are.
func media() []transport.Medium {
	return []transport.Medium{tcp.Medium{}, quic.Medium{}, udp.Medium{}, express.Medium{}}
}

// queues are all that there are.
func queues() []transport.QueueMedium {
	return []transport.QueueMedium{journal.Medium{}, rabbitmq.Medium{}, kafka.Medium{}, redis.Medium{}}
}

const statusEvery = 500 * time.Millisecond

// statusFile is where a node says how its channels go, in its directory.
const statusFile = ".status.json"

// nodeStatus is what it says.
type nodeStatus struct {
	Node      string               `json:"node"`
	Version   string               `json:"version"`
	PID       int                  `json:"pid"`
	At        time.Time            `json:"at"`
	Carriages []transport.Carriage `json:"carriages"`

	Comparisons []transport.Comparison `json:"comparisons,omitempty"` // of shadows that arrive here
	Accords     []transport.Accord     `json:"accords,omitempty"`     // with nodes that a control link leads to
	Refused     []transport.Refused    `json:"refused,omitempty"`     // dead letters of what is taken here
}

func newRun() *cobra.Command {
	c := transport.Config{Media: media(), Queues: queues()}
	past, say := "", outlets{}
	cmd := &cobra.Command{
		Use:   "run FILE --node NAME",
		Short: "Join a node of a topology to the others",
		Long: "Carries what the actors of a node publish to the nodes whose actors subscribe, and takes what comes from them, as FILE says\n" +
			"(docs/topology.md, docs/run.md). Actors are other processes; they find its rings in the node's directory. A line is printed for\n" +
			"each change of the ways between nodes. SIGHUP has FILE read again: one with a fault is refused whole, and nothing changes.\n\n" +
			"It ends with Ctrl-C. What is not confirmed by then waits in the rings for the next life.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.File = args[0]
			if past != "" {
				o, err := parseInterface(past)
				if err != nil {
					return exit(exitUsage, fmt.Errorf("--xdp %q: %w", past, err))
				}
				c.Media = append(slices.DeleteFunc(media(), func(m transport.Medium) bool { return m.Protocol() == "xdp" }), express.Medium{Hub: xdp.HubOptions{Device: *o}})
			}
			if c.At == "" {
				return exit(exitUsage, errors.New("run: --node says which node of the topology this is"))
			}
			return runNode(cmd.Context(), c, say, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&c.At, "node", "", "the node, by its name in FILE")
	cmd.Flags().StringVar(&c.Dir, "dir", "", "where the rings are (default /dev/shm/pulse-TOPOLOGY-NODE)")
	cmd.Flags().DurationVar(&c.HoldDown, "hold-down", 0, "how long a preferred way must be well before a channel goes back to it (default 5s)")
	cmd.Flags().StringVar(&past, "xdp", "", "INTERFACE[:QUEUE,...]: where channels by xdp go past the kernel's sockets, whatever FILE says")
	cmd.Flags().StringVar(&say.web, "web", "", "ADDRESS:PORT where a browser finds the node's dashboard (default: nowhere)")
	cmd.Flags().StringVar(&say.metrics, "metrics", "", "ADDRESS:PORT, unix:PATH or off: where /metrics, /healthz, /readyz and /debug/pprof answer (default unix:DIR/.watch/node.sock)")
	cmd.Flags().StringVar(&say.traces, "traces", "", "URL of a collector (OTLP over HTTP) that is sent the spans of traced messages, http://HOST:4318 for instance")
	cmd.Flags().IntSliceVar(&c.Loop.CPUs, "cpus", nil, "CPUs that the workers are pinned to")
	return cmd
}

// outlets are where a node that runs says what it does.
type outlets struct {
	web     string // ADDRESS:PORT of the dashboard; empty: nowhere
	metrics string
	traces  string // URL of a collector
}

func runNode(ctx context.Context, c transport.Config, o outlets, out io.Writer) (err error) {
	say := stamped(out)
	c.Notes = func(n netio.Note) { say(noteLine(n)) }
	n, err := transport.Open(ctx, c)
	if err != nil {
		if errors.Is(err, transport.ErrConfig) || errors.Is(err, transport.ErrTopology) {
			return exit(exitUsage, err)
		}
		return exit(exitRuntime, err)
	}
	say(fmt.Sprintf("node %s, topology %s, rings in %s", c.At, n.Version(), n.Dir()))
	defer func() { err = errors.Join(err, n.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	traced := func() {}
	if o.traces != "" {
		if traced, err = exportTraces(ctx, n.Dir(), c.At, o.traces, say); err != nil {
			cancel()
			return exit(exitUsage, fmt.Errorf("--traces: %w", err))
		}
	}
	var shown sync.WaitGroup
	defer func() {
		cancel()
		traced()
		shown.Wait()
	}()
	if o.web != "" {
		shown.Go(func() {
			if err := serveWeb(ctx, n.Dir(), o.web, say); err != nil {
				say(err.Error())
			}
		})
	}
	return serveMetrics(ctx, n.Dir(), o.metrics, say, func(ctx context.Context) error { return follow(ctx, n, c.At, say) })
}

// follow reloads a node when it is told to, and renews its status file, until ctx ends.
func follow(ctx context.Context, n *transport.Node, at string, say func(string)) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			if err := n.Reload(ctx); err != nil {
				say("reload refused, nothing changes: " + err.Error())
			} else {
				say("reloaded, topology " + n.Version())
			}
		case <-tick.C:
			if err := writeStatus(ctx, n, at); err != nil && ctx.Err() == nil {
				say("status: " + err.Error())
			}
		}
	}
}

// writeStatus replaces the status file as a whole: who reads it finds the last one or this one.
func writeStatus(ctx context.Context, n *transport.Node, node string) error {
	all, err := n.Carriages(ctx)
	if err != nil {
		return err
	}
	compared, err := n.Comparisons(ctx)
	if err != nil {
		return err
	}
	agreed, err := n.Accords(ctx)
	if err != nil {
		return err
	}
	refused, err := n.Refused(ctx)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(nodeStatus{node, n.Version(), os.Getpid(), time.Now(), all, compared, agreed, refused}, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(n.Dir(), statusFile)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// noteLine is a note for people.
func noteLine(n netio.Note) string {
	line := n.What
	if n.Medium != "" {
		line += " by " + n.Medium
	}
	if n.Node != "" {
		line += " to " + n.Node
	}
	if n.Channel != "" {
		line += ", channel " + n.Channel
	}
	if n.First > 0 {
		line += fmt.Sprintf(", messages %d to %d", n.First, n.Last)
	}
	if n.Err != nil {
		line += ": " + n.Err.Error()
	}
	return line
}

// stamped prints a line with the time before it, whoever calls.
func stamped(w io.Writer) func(string) {
	var turn sync.Mutex
	return func(line string) {
		turn.Lock()
		defer turn.Unlock()
		fmt.Fprintln(w, time.Now().Format("15:04:05.000"), line)
	}
}
