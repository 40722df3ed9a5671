package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/xdp"
)

// newXDP says what interfaces can do.
func newXDP() *cobra.Command {
	cmd := &cobra.Command{Use: "xdp", Short: "Look at interfaces as AF_XDP sees them"}
	asJSON := false
	probe := &cobra.Command{
		Use:   "probe INTERFACE",
		Short: "What an interface can do past the kernel's sockets, and why not more",
		Long: "What an interface can do past the kernel's sockets, and why not more. It changes nothing. With too few rights it says\n" +
			"which are missing: CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, and CAP_IPC_LOCK or room under RLIMIT_MEMLOCK.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := xdp.Probe(args[0])
			if err != nil {
				return exit(exitRuntime, err)
			}
			if asJSON {
				return printProbeJSON(cmd.OutOrStdout(), a)
			}
			printProbe(cmd.OutOrStdout(), a)
			return nil
		},
	}
	probe.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.AddCommand(probe)
	return cmd
}

// probed is an Ability as JSON has it.
type probed struct {
	Interface string            `json:"interface"`
	Driver    string            `json:"driver"`
	MTU       int               `json:"mtu"`
	Queues    int               `json:"queues"`
	Told      bool              `json:"told"`
	Can       map[string]bool   `json:"can"`
	Why       map[string]string `json:"why"`
}

// abilities are what a probe answers, in the order of the best.
func abilities(a xdp.Ability) (names []string, can map[string]bool) {
	names = []string{"zero-copy", "native", "several chunks a packet", "generic", "send"}
	return names, map[string]bool{"zero-copy": a.ZeroCopy, "native": a.Native, "several chunks a packet": a.Segments, "generic": a.Generic, "send": a.Send}
}

func printProbeJSON(w io.Writer, a xdp.Ability) error {
	_, can := abilities(a)
	p := probed{a.Interface, a.Driver, a.MTU, a.Queues, a.Told, can, map[string]string{}}
	for _, r := range a.Why {
		p.Why[r.Wish] = r.Err.Error()
	}
	return json.NewEncoder(w).Encode(p)
}

func printProbe(w io.Writer, a xdp.Ability) {
	driver := a.Driver
	if driver == "" {
		driver = "a driver that does not say its name"
	}
	fmt.Fprintf(w, "%s: %s, MTU %d, %d queues\n", a.Interface, driver, a.MTU, a.Queues)
	names, can := abilities(a)
	for _, name := range names {
		answer := "no"
		if can[name] {
			answer = "yes"
		}
		fmt.Fprintf(w, "  %-24s %s\n", name, answer)
	}
	for _, r := range a.Why {
		fmt.Fprintf(w, "  why not: %s\n", r)
	}
}

// parseInterface reads INTERFACE[:QUEUE,...].
func parseInterface(text string) (*xdp.Options, error) {
	name, queues, some := strings.Cut(text, ":")
	if name == "" {
		return nil, errors.New("no interface")
	}
	if _, err := net.InterfaceByName(name); err != nil {
		return nil, err
	}
	o := &xdp.Options{Interface: name}
	if !some {
		return o, nil
	}
	for _, q := range strings.Split(queues, ",") {
		n, err := strconv.Atoi(q)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("queue %q is no number", q)
		}
		o.Queues = append(o.Queues, n)
	}
	return o, nil
}
