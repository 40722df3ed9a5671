package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/route/watch/prom"
)

// nowhere is the value of --metrics with which nobody is answered.
const nowhere = "off"

func newMetrics() *cobra.Command {
	node, listen, explain, once, list := "", "", "", false, false
	c := &cobra.Command{
		Use:   "metrics DIR | FILE --node NAME",
		Short: "Serve or print the metrics of a node, also after its death",
		Long: "Reads what the processes of a node tell in its directory and answers /metrics, /healthz, /readyz and /debug/pprof at --listen, or prints\n" +
			"the metrics once. The node need not run: then these are its last words. docs/metrics.md has every metric.\n" +
			"Exit code 0, 2 for a name or FILE that is wrong, 3 when the address cannot be had or a file cannot be read.",
		Example: "  pulse metrics topology.yaml --node left --once\n  pulse metrics --explain pulse_reader_lag_bytes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case list:
				return writeCatalogue(c.OutOrStdout(), prom.Catalogue()...)
			case explain != "":
				m, ok := prom.Find(explain)
				if !ok {
					return exit(exitUsage, fmt.Errorf("metrics: there is no %s: pulse metrics --list has all", explain))
				}
				return writeCatalogue(c.OutOrStdout(), m)
			case len(args) == 0:
				return exit(exitUsage, errors.New("metrics: DIR, or FILE with --node NAME, says which node"))
			}
			dir, err := directoryOf(args[0], node)
			if err != nil {
				return exit(exitUsage, fmt.Errorf("metrics: %w", err))
			}
			if once {
				return prom.Of(dir).WriteText(c.OutOrStdout())
			}
			say := stamped(c.OutOrStdout())
			return serveMetrics(c.Context(), dir, listen, say, func(context.Context) error { <-c.Context().Done(); return nil })
		},
	}
	c.Flags().StringVar(&node, "node", "", "the node, by its name in FILE")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:9469", "ADDRESS:PORT or unix:PATH to answer at")
	c.Flags().BoolVar(&once, "once", false, "print the metrics, and end")
	c.Flags().BoolVar(&list, "list", false, "print what each metric is, and end")
	c.Flags().StringVar(&explain, "explain", "", "print what the metric of this name is, and end")
	return c
}

// directoryOf is where a node's files are: what is named is the directory itself, or a topology that has the node.
func directoryOf(named, node string) (string, error) {
	s, err := os.Stat(named)
	if err != nil {
		return "", err
	}
	if s.IsDir() {
		return named, nil
	}
	t, found := topo.Load(named)
	if err := found.Err(); err != nil {
		return "", err
	}
	if t.Node(node) == nil {
		return "", fmt.Errorf("%s has no node %q: --node says which", named, node)
	}
	return transport.DirOf(t.Name, node), nil
}

// writeCatalogue says what metrics are, a line for each.
func writeCatalogue(w io.Writer, all ...watch.Metric) error {
	kinds := map[watch.Kind]string{watch.Counter: "counter", watch.Gauge: "gauge", watch.Histogram: "histogram"}
	for _, m := range all {
		name := m.Name
		if len(m.Labels) > 0 {
			name += "{" + strings.Join(m.Labels, ",") + "}"
		}
		if _, err := fmt.Fprintf(w, "%s\n  %s. %s\n", name, kinds[m.Kind], m.Help); err != nil {
			return err
		}
	}
	return nil
}

// serveMetrics answers what is asked of the node of dir while run runs. at is ADDRESS:PORT, unix:PATH, "off", or empty: a socket in the directory,
// without which run runs all the same.
func serveMetrics(ctx context.Context, dir, at string, say func(string), run func(context.Context) error) error {
	if at == nowhere {
		return run(ctx)
	}
	l, err := prom.Listen(cmp.Or(at, "unix:"+filepath.Join(dir, watch.Directory, prom.Socket)))
	if err != nil && at == "" {
		say("no metrics are served: " + err.Error() + "; --metrics says where else")
		return run(ctx)
	}
	if err != nil {
		return exit(exitRuntime, err)
	}
	if prom.Open(l) {
		say(fmt.Sprintf("whoever reaches %s may read metrics and profiles of this node: nobody is asked who they are", l.Addr()))
	}
	say("metrics at " + where(l))
	mux := http.NewServeMux()
	prom.Of(dir).Mount(mux)
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := prom.Serve(serving, l, mux)
		if err != nil {
			say("no metrics are served any more: " + err.Error())
		}
		ended <- err
	}()
	err = run(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// where is what a client is given to ask a listener.
func where(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return "http://" + l.Addr().String() + "/metrics"
}
