package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/simnet"
)

// chaosFlags are the command line as it came; config reads it.
type chaosFlags struct {
	listen, to, peer    string
	up, down, partition string
	seed                uint64
	json                bool
}

// newChaos stands between two ends of a UDP conversation and makes the way between them bad.
func newChaos() *cobra.Command {
	var flags chaosFlags
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Relay UDP and lose, delay, reorder, repeat or damage it, the same way for the same seed",
		Long: "Forwards datagrams that arrive at --listen to --to, and the answers back to whoever sent, through the faults that\n" +
			"--up and --down name (docs/chaos.md). It ends with Ctrl-C and prints what happened to how many.",
		Example: "  pulse chaos --listen 127.0.0.1:9000 --to 127.0.0.1:9001 --up loss=1% --down delay=5ms,jitter=2ms --seed 7",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				flags.seed = uint64(time.Now().UnixNano())
			}
			c, err := flags.config()
			if err != nil {
				return exit(exitUsage, fmt.Errorf("chaos: %w", err))
			}
			return chaosRun(cmd, c, flags.json)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.listen, "listen", "", "address and port that clients send to; port 0 is any")
	f.StringVar(&flags.to, "to", "", "address and port of the target")
	f.StringVar(&flags.peer, "peer", "", "the only client (default: all who send)")
	f.StringVar(&flags.up, "up", "", "faults on the way to the target, such as loss=1%,burst=0.1%/8,reorder=1%/3,rate=10MB/s")
	f.StringVar(&flags.down, "down", "", "faults on the way back, such as delay=5ms,jitter=2ms,dup=1%,corrupt=0.1%,truncate=0.1%")
	f.StringVar(&flags.partition, "partition", "", "AFTER/FOR/TIMES, such as 10s/1s/3: nothing passes either way")
	f.Uint64Var(&flags.seed, "seed", 0, "what is drawn (default: from the clock)")
	f.BoolVar(&flags.json, "json", false, "print one JSON object at the end")
	return cmd
}

// config is what the flags ask for, or all that is wrong with them.
func (f chaosFlags) config() (simnet.Config, error) {
	c := simnet.Config{Seed: f.seed}
	var faults []error
	fault := func(flag string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	address := func(flag, text string, needed bool) (a netip.AddrPort) {
		if text == "" && !needed {
			return a
		}
		a, err := netip.ParseAddrPort(text)
		if err == nil && a.Port() == 0 && flag != "listen" {
			err = fmt.Errorf("%s has no port", text)
		}
		fault(flag, err)
		return a
	}
	c.Listen, c.Target, c.Peer = address("listen", f.listen, true), address("to", f.to, true), address("peer", f.peer, false)
	var err error
	c.Up, err = simnet.ParseFaults(f.up)
	fault("up", err)
	c.Down, err = simnet.ParseFaults(f.down)
	fault("down", err)
	if f.partition != "" {
		o, err := simnet.ParseOutage(f.partition)
		fault("partition", err)
		if c.Up.Outage.For != 0 || c.Down.Outage.For != 0 {
			fault("partition", errors.New("--up or --down names a partition too"))
		}
		c.Up.Outage, c.Down.Outage = o, o
	}
	return c, errors.Join(faults...)
}

// chaosReport is what --json prints.
type chaosReport struct {
	Seed    uint64         `json:"seed"`
	Listen  netip.AddrPort `json:"listen"`
	To      netip.AddrPort `json:"to"`
	Seconds float64        `json:"seconds"`
	Up      chaosDirection `json:"up"`
	Down    chaosDirection `json:"down"`
}

type chaosDirection struct {
	Faults string `json:"faults"`
	simnet.Counters
}

// chaosRun relays until the command's context ends.
func chaosRun(cmd *cobra.Command, c simnet.Config, asJSON bool) error {
	relay, err := simnet.New(c)
	switch {
	case errors.Is(err, simnet.ErrConfig):
		return exit(exitUsage, fmt.Errorf("chaos: %w", err))
	case err != nil:
		return exit(exitRuntime, fmt.Errorf("chaos: %w", err))
	}
	people := cmd.OutOrStdout()
	if asJSON {
		people = cmd.ErrOrStderr()
	}
	fmt.Fprintf(people, "chaos: %s to %s, seed %d\n  up    %s\n  down  %s\n", relay.Addr(), c.Target, c.Seed, orNone(c.Up), orNone(c.Down))
	if c.Peer.IsValid() {
		fmt.Fprintf(people, "  %s sends to %s\n", c.Target, relay.Back())
	}
	began := time.Now()
	if err := relay.Run(cmd.Context()); err != nil {
		return exit(exitRuntime, fmt.Errorf("chaos: %w", err))
	}
	up, down := relay.Counters()
	r := chaosReport{Seed: c.Seed, Listen: relay.Addr(), To: c.Target, Seconds: time.Since(began).Seconds(),
		Up: chaosDirection{c.Up.String(), up}, Down: chaosDirection{c.Down.String(), down}}
	if asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	} else {
		err = chaosTable(cmd.OutOrStdout(), up, down)
	}
	if err != nil {
		return exit(exitRuntime, fmt.Errorf("chaos: %w", err))
	}
	return nil
}

func orNone(f simnet.Faults) string {
	if text := f.String(); text != "" {
		return text
	}
	return "no faults"
}

// chaosTable is a row for each counter; the first seven add up.
func chaosTable(w io.Writer, up, down simnet.Counters) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tup\tdown\t\n")
	for _, row := range []struct {
		name     string
		up, down uint64
	}{
		{"in", up.In, down.In},
		{"duplicated", up.Duplicated, down.Duplicated},
		{"forwarded", up.Forwarded, down.Forwarded},
		{"lost", up.Lost, down.Lost},
		{"limited", up.Limited, down.Limited},
		{"partitioned", up.Partitioned, down.Partitioned},
		{"unsent", up.Unsent, down.Unsent},
		{"delayed", up.Delayed, down.Delayed},
		{"reordered", up.Reordered, down.Reordered},
		{"corrupted", up.Corrupted, down.Corrupted},
		{"truncated", up.Truncated, down.Truncated},
		{"foreign", up.Foreign, down.Foreign},
	} {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", row.name, row.up, row.down)
	}
	return t.Flush()
}
