package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/web"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/route/watch"
)

func newWeb() *cobra.Command {
	node, listen := "", "127.0.0.1:7480"
	cmd := &cobra.Command{
		Use:   "web DIR | web FILE --node NAME",
		Short: "Show a node of this machine in a browser",
		Long: "Serves a page that shows the node whose rings are in DIR, or that FILE calls NAME: which channel goes where and by what, rates, lags,\n" +
			"latencies, breakers, drops by reason. The node runs in other processes, or did: what they said last is shown.\n\n" +
			"It ends with Ctrl-C.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := watchedDir(args[0], node)
			if err != nil {
				return exit(exitUsage, err)
			}
			say := stamped(cmd.OutOrStdout())
			return serveWeb(cmd.Context(), dir, listen, say)
		},
	}
	cmd.Flags().StringVar(&node, "node", "", "the node, by its name in FILE")
	cmd.Flags().StringVar(&listen, "listen", listen, "where the page is served")
	return cmd
}

// watchedDir is the directory of the node that an argument names: itself, or a topology with a node.
func watchedDir(arg, node string) (string, error) {
	if i, err := os.Stat(arg); err == nil && i.IsDir() {
		if node != "" {
			return "", fmt.Errorf("%s is a directory: --node goes with a topology file", arg)
		}
		if all, err := watch.ReadDir(arg); err != nil || len(all) == 0 {
			return "", errors.Join(fmt.Errorf("%s: no process there tells what it does: name the directory of a node's rings, as pulse run --dir has it", arg), err)
		}
		return arg, nil
	}
	t, findings := topo.Load(arg)
	if err := findings.Err(); err != nil {
		return "", err
	}
	if node == "" || t.Node(node) == nil {
		return "", fmt.Errorf("%s: --node says which: %s", arg, strings.Join(nodeNames(t), ", "))
	}
	dir := transport.DirOf(t.Name, node)
	if all, err := watch.ReadDir(dir); err != nil || len(all) == 0 {
		return "", errors.Join(fmt.Errorf("node %s does not run on this machine, or with another --dir: nothing is told in %s", node, dir), err)
	}
	return dir, nil
}

func nodeNames(t *topo.Topology) (all []string) {
	for _, n := range t.Nodes {
		all = append(all, n.Name)
	}
	return all
}

// serveWeb serves the dashboard until ctx ends.
func serveWeb(ctx context.Context, dir, listen string, say func(string)) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("web: %w", err))
	}
	host, _, _ := net.SplitHostPort(l.Addr().String()) // of a listener
	if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() {
		say("the dashboard is served beyond this machine, to whoever reaches " + l.Addr().String() + ": it is not encrypted and asks for no password")
	}
	d := web.New(dir)
	go d.Run(ctx)
	s := &http.Server{Handler: d, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx }}
	end := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer end()
	say("dashboard at http://" + l.Addr().String() + "/")
	if err := s.Serve(l); ctx.Err() == nil {
		return exit(exitRuntime, fmt.Errorf("web: %w", err))
	}
	return nil
}
