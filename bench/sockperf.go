package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// sockperf is a program of its own and takes no turns: where it is installed it runs for a second before the rounds and for a second after
// them, on the same two processors, polling without sleep on both sides. Both ratios go into the report: what lies between them is how
// much the machine changed meanwhile.

const (
	sockperfName = "sockperf"
	sockperfUp   = 2 * time.Second // in which its server must listen
)

var (
	errNoSockperf    = errors.New("sockperf is not installed: no such baseline")
	errOnlyLoopback  = errors.New("sockperf runs over loopback only: no such baseline")
	errSockperfShort = errors.New("a run of less than a second: no baseline sockperf")
	errSockperf      = errors.New("sockperf printed no percentiles: no such baseline")
)

// sockperf measures its own ping-pong once. The figures are of whole round trips.
func sockperf(ctx context.Context, s Setup) (*Latency, error) {
	path, err := exec.LookPath(sockperfName)
	switch {
	case err != nil:
		return nil, errNoSockperf
	case s.Net == NetVeth:
		return nil, errOnlyLoopback
	case s.For < time.Second:
		return nil, errSockperfShort
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	at := []string{"-i", "127.0.0.1", "-p", strconv.Itoa(port), "--nonblocked"}
	server := exec.CommandContext(ctx, path, append([]string{"server"}, at...)...)
	if err := startPinned(server, s.CPUs[1]); err != nil {
		return nil, err
	}
	defer func() {
		cancel()
		_ = server.Wait() // it was killed
	}()
	for until := time.Now().Add(sockperfUp); !taken(port); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return nil, errSockperf
		}
	}
	var out bytes.Buffer
	client := exec.CommandContext(ctx, path, append([]string{"ping-pong", "-t", "1", "-m", strconv.Itoa(s.Size), "--full-rtt"}, at...)...)
	client.Stdout = &out
	if err := startPinned(client, s.CPUs[0]); err != nil {
		return nil, err
	}
	if err := client.Wait(); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", sockperfName, err)
	}
	return parseSockperf(out.String())
}

// startPinned starts a program on one processor: it inherits it from the thread that starts it.
func startPinned(cmd *exec.Cmd, cpu int) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is narrowed and ends with this goroutine
		err := pin(cpu)
		if err == nil {
			err = cmd.Start()
		}
		done <- err
	}()
	return <-done
}

func freePort() (int, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	return c.LocalAddr().(*net.UDPAddr).Port, c.Close()
}

// taken reports whether somebody has bound the port.
func taken(port int) bool {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return true
	}
	_ = c.Close() // nothing was sent through it
	return false
}

// parseSockperf reads percentiles, in microseconds, out of what sockperf prints.
func parseSockperf(text string) (*Latency, error) {
	var l Latency
	fields := map[string]*int64{
		"percentile 50.000": &l.P50, "percentile 90.000": &l.P90, "percentile 99.000": &l.P99, "percentile 99.900": &l.P999,
		"percentile 99.990": &l.P9999, "<MAX> observation": &l.Max,
	}
	for line := range strings.Lines(text) {
		if _, rest, ok := strings.Cut(line, "Total "); ok {
			if n, _, ok := strings.Cut(rest, " observations"); ok {
				l.Samples, _ = strconv.ParseInt(n, 10, 64) // 0 is told below
			}
		}
		_, rest, ok := strings.Cut(line, "---> ")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(rest, "=")
		if to := fields[strings.TrimSpace(name)]; to != nil {
			us, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(us > 0 && us < highestNS/nsPerMicro) {
				return nil, errSockperf
			}
			*to = int64(us * nsPerMicro)
		}
	}
	if l.P50 == 0 || l.P99 == 0 || l.Max == 0 || l.Samples == 0 {
		return nil, errSockperf
	}
	if l.Samples < rareNeeds {
		l.P9999 = 0
	}
	return &l, nil
}

// besideSockperf runs measure with sockperf before and after it. What sockperf cannot do is a note in the report.
func besideSockperf(ctx context.Context, s Setup, measure func() (*Report, error)) (*Report, error) {
	first, firstErr := sockperf(ctx, s)
	r, err := measure()
	if err != nil {
		return r, err
	}
	second, secondErr := (*Latency)(nil), firstErr
	if firstErr == nil {
		second, secondErr = sockperf(ctx, s)
	}
	if err := errors.Join(firstErr, secondErr); err != nil {
		r.Notes = append(r.Notes, secondErr.Error())
		return r, nil
	}
	r.Baselines[sockperfName] = Figures{Latency: mean(first, second), Slices: 2, Messages: uint64(first.Samples + second.Samples)}
	r.Ratio[sockperfName] = Ratio{P50: two(r.Subject.P50, first.P50, second.P50), P99: two(r.Subject.P99, first.P99, second.P99)}
	return r, nil
}

// mean is the figures between two runs; percentiles of what was printed as percentiles can be had no better.
func mean(a, b *Latency) *Latency {
	return &Latency{
		P50: (a.P50 + b.P50) / 2, P90: (a.P90 + b.P90) / 2, P99: (a.P99 + b.P99) / 2, P999: (a.P999 + b.P999) / 2,
		Max: max(a.Max, b.Max), Samples: a.Samples + b.Samples,
	}
}

// two is the quotients of one figure by two.
func two(v, a, b int64) *Spread {
	x, y := float64(v)/float64(a), float64(v)/float64(b)
	return &Spread{Median: (x + y) / 2, Lo: min(x, y), Hi: max(x, y), Pairs: 2}
}
