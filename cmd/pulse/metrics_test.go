package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/route/watch"
)

const aloneFile = `config_version: 1
name: alone
nodes:
  left:   { hostname: left, addresses: [127.%[1]s.1], site: here }
  middle: { hostname: middle, addresses: [127.%[1]s.2], site: here }
actors:
  feed:     { type: producer, outputs: [trades], source_id: 1 }
  strategy: { type: consumer, inputs: [trades] }
placements:
  feed:     { node: left }
  strategy: { node: middle }
channels:
  trades: { mode: direct, protocol: tcp, encryption: none }
`

// ask gets a path from a socket of files.
func ask(t *testing.T, socket, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	w, err := client.Get("http://node" + path)
	if err != nil {
		return 0, err.Error()
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		return 0, err.Error()
	}
	return w.StatusCode, string(text)
}

// TestANodeThatRunsAnswersAtItsSocket, and another process tells its last words.
func TestANodeThatRunsAnswersAtItsSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "pulse") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := netlab.Port()
	mine := fmt.Sprintf("%d.%d", port>>8, port&255) // of loopback, and nobody else's
	file := filepath.Join(dir, "alone.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, aloneFile, mine), 0o600); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, "left")
	run := start(t, "run", file, "--node", "left", "--dir", node)
	socket, code, text := filepath.Join(node, watch.Directory, "node.sock"), 0, ""
	for end := time.Now().Add(20 * time.Second); !strings.Contains(text, watch.NodeInfo+"{") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		code, text = ask(t, socket, "/metrics")
	}
	if code != http.StatusOK || !strings.Contains(text, `pulse_up{process="node"} 1`) {
		t.Fatalf("%d %s\n%s", code, text, run.words())
	}
	if code, text = ask(t, socket, "/healthz"); code != http.StatusOK || !json.Valid([]byte(text)) {
		t.Errorf("%d %s", code, text)
	}
	if code, text = ask(t, socket, "/debug/pprof/cmdline"); code != http.StatusOK || !strings.Contains(text, "--node") {
		t.Errorf("%d %s", code, text)
	}
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.end()
	once := start(t, "metrics", node, "--once")
	if code := once.end(); code != 0 || !strings.Contains(once.out.String(), `pulse_up{process="node"} 0`) || !strings.Contains(once.out.String(), watch.NodeInfo+"{") {
		t.Errorf("%d %s", code, once.words())
	}

	served := start(t, "metrics", node, "--listen", "unix:"+filepath.Join(dir, "s"))
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if code, text = ask(t, filepath.Join(dir, "s"), "/healthz"); code != 0 {
			break
		}
	}
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "it is gone") {
		t.Errorf("%d %s %s", code, text, served.words())
	}
}

func TestMetricsAreExplained(t *testing.T) {
	one := start(t, "metrics", "--explain", watch.ReaderLag)
	if code := one.end(); code != 0 || !strings.Contains(one.out.String(), "pulse_reader_lag_bytes{channel,ring,reader}\n  gauge. Bytes that are committed") {
		t.Errorf("%d %s", code, one.words())
	}
	all := start(t, "metrics", "--list")
	if code := all.end(); code != 0 || len(regexp.MustCompile(`(?m)^pulse_`).FindAllString(all.out.String(), -1)) < 50 {
		t.Errorf("%d %s", code, all.words())
	}
	for _, args := range [][]string{{"--explain", "pulse_nonsense"}, {}, {"no-such-file"}} {
		if p := start(t, append([]string{"metrics"}, args...)...); p.end() != exitUsage {
			t.Errorf("%q: %s", args, p.words())
		}
	}
}
