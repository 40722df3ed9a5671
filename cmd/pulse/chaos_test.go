package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// runChaos starts the verb; lines are what it prints for people, end ends it and returns its standard output and exit code.
func runChaos(t *testing.T, args ...string) (lines *bufio.Reader, end func() (out string, code int)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	people, printed := io.Pipe()
	var out strings.Builder
	c := newChaos()
	c.SetArgs(args)
	c.SetErr(printed)
	c.SetOut(&out)
	if !strings.Contains(strings.Join(args, " "), "--json") {
		c.SetOut(io.MultiWriter(&out, printed))
	}
	c.SilenceErrors, c.SilenceUsage = true, true
	done := make(chan error, 1)
	go func() {
		err := c.ExecuteContext(ctx)
		_ = printed.CloseWithError(io.EOF)
		done <- err
	}()
	return bufio.NewReader(people), func() (string, int) {
		stop()
		go func() { _, _ = io.Copy(io.Discard, people) }()
		var coded *exitError
		err := <-done
		switch {
		case err == nil:
			return out.String(), 0
		case errors.As(err, &coded):
			return out.String() + err.Error(), coded.code
		}
		return out.String() + err.Error(), exitUsage
	}
}

func chaosSocket(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChaosRelaysAndTellsTheSeedAndTheCounts(t *testing.T) {
	for _, form := range [][]string{nil, {"--json"}} {
		server, client := chaosSocket(t), chaosSocket(t)
		lines, end := runChaos(t, append(form, "--listen", "127.0.0.1:0", "--to", server.LocalAddr().String(),
			"--up", "dup=100%", "--down", "delay=1ms", "--seed", "7", "--partition", "1h/1s/2")...)
		var at, to string
		var seed uint64
		if _, err := fmt.Fscanf(lines, "chaos: %s to %s seed %d\n", &at, &to, &seed); err != nil || seed != 7 {
			t.Fatalf("%s %s %d: %v", at, to, seed, err)
		}
		addr, err := net.ResolveUDPAddr("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.WriteTo([]byte("ping"), addr); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 16)
		for range 2 {
			_, from, err := server.ReadFrom(buf)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := server.WriteTo(buf[:4], from); err != nil {
				t.Fatal(err)
			}
			if n, err := client.Read(buf); err != nil || string(buf[:n]) != "ping" {
				t.Fatalf("%q, %v", buf[:n], err)
			}
		}
		out, code := end()
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, out)
		}
		if form == nil {
			if got := strings.Join(strings.Fields(out[strings.Index(out, "up  down\n"):]), " "); !strings.HasPrefix(got,
				"up down in 1 2 duplicated 1 0 forwarded 2 2 lost 0 0") || !strings.Contains(got, "delayed 0 2") {
				t.Error(out)
			}
			continue
		}
		var r chaosReport
		if err := json.Unmarshal([]byte(out), &r); err != nil || r.Seed != 7 || r.Listen.String() != at || r.Up.In != 1 || r.Up.Forwarded != 2 ||
			r.Down.Delayed != 2 || r.Up.Faults != "dup=100%,partition=1h0m0s/1s/2" || !r.Down.Exact() {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestChaosWithOnePeerSaysWhereTheTargetSends(t *testing.T) {
	server, peer := chaosSocket(t), chaosSocket(t)
	lines, end := runChaos(t, "--listen", "127.0.0.1:0", "--to", server.LocalAddr().String(), "--peer", peer.LocalAddr().String())
	var back string
	for back == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, back, _ = strings.Cut(strings.TrimSpace(line), " sends to ")
	}
	addr, err := net.ResolveUDPAddr("udp", back)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.WriteTo([]byte("first"), addr); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if n, err := peer.Read(buf); err != nil || string(buf[:n]) != "first" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if out, code := end(); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestChaosNamesEveryFaultOfItsFlags(t *testing.T) {
	_, end := runChaos(t, "--listen", "here", "--to", "127.0.0.1:0", "--peer", "x", "--up", "loss=2,speed=1", "--down", "delay=1",
		"--partition", "1s")
	out, code := end()
	for _, name := range []string{"--listen", "--to", "--peer", "--up", "--down", "--partition", "loss", "speed", "delay"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not named in %s", name, out)
		}
	}
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	taken := chaosSocket(t).LocalAddr().String()
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"nothing":      {nil, exitUsage},
		"argument":     {[]string{"x"}, exitUsage},
		"itself":       {[]string{"--listen", "127.0.0.1:9", "--to", "127.0.0.1:9"}, exitUsage},
		"twice":        {[]string{"--listen", "127.0.0.1:0", "--to", taken, "--up", "partition=1s/1s", "--partition", "1s/1s"}, exitUsage},
		"bad seed":     {[]string{"--listen", "127.0.0.1:0", "--to", taken, "--seed", "x"}, exitUsage},
		"taken":        {[]string{"--listen", taken, "--to", "127.0.0.1:9"}, exitRuntime},
		"not our host": {[]string{"--listen", "192.0.2.1:9", "--to", "127.0.0.1:9"}, exitRuntime},
	} {
		_, end := runChaos(t, c.args...)
		if out, code := end(); code != c.code {
			t.Errorf("%s: exit code %d, not %d: %s", name, code, c.code, out)
		}
	}
}
