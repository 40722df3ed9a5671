package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/seal"
)

// UDPOptions say what lies between feed and strategy in a demo over UDP.
type UDPOptions struct {
	Loss   float64 // percent of the datagrams that are lost, each way: 0 to 99
	Sealed bool    // with a secret drawn for this run
	XDP    bool    // past the kernel's sockets, where that can be
}

// Names of the kinds of network.
const (
	namespaces = "namespaces"
	overLocal  = "loopback"
)

// labPort is where the strategy listens in a namespace of its own.
const labPort = 7400

// network is what lies between feed and strategy.
type network struct {
	kind       string
	device     string // of both
	listen, to netip.AddrPort
	command    func(host, program string, args ...string) *exec.Cmd
	close      func() error
}

// openNetwork makes two network namespaces, or, where that cannot be, does with loopback and says so.
func openNetwork(r *RunOptions) (*network, error) {
	n, err := openLab(r.UDP.Loss)
	if err == nil {
		return n, nil
	}
	r.Notice("over loopback, not between network namespaces: %s", err)
	return openLoopback(r.UDP.Loss, r.Seed)
}

// openLab makes a namespace for the feed and one for strategy and sink.
func openLab(loss float64) (*network, error) {
	lab, err := netlab.New(FeedName, StrategyName)
	if err != nil {
		return nil, err
	}
	for _, host := range []string{FeedName, StrategyName} {
		if loss == 0 {
			break
		}
		if err := lab.Loss(host, loss); err != nil {
			return nil, errors.Join(err, lab.Close())
		}
	}
	at := netip.AddrPortFrom(lab.Addr(StrategyName), labPort)
	return &network{kind: namespaces, device: netlab.Device, listen: at, to: at, close: lab.Close, command: func(host, program string, args ...string) *exec.Cmd {
		if host == SinkName {
			host = StrategyName
		}
		return lab.Command(context.Background(), host, program, args...)
	}}, nil
}

// openLoopback finds a port, and with loss puts a relay before it.
func openLoopback(loss float64, seed uint64) (*network, error) {
	at, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	n := &network{kind: overLocal, device: "lo", listen: at, to: at, close: func() error { return nil },
		command: func(_, program string, args ...string) *exec.Cmd { return exec.Command(program, args...) }}
	if loss == 0 {
		return n, nil
	}
	faults, err := simnet.ParseFaults(fmt.Sprintf("loss=%g%%", loss))
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	relay, err := simnet.New(simnet.Config{Target: at, Seed: seed, Up: faults, Down: faults})
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(ctx) }()
	n.to = relay.Addr()
	n.close = func() error {
		end()
		err := <-ended
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, relay.Close())
	}
	return n, nil
}

// freePort is a port that nobody had just now. The strategy must come back to it after a kill, so it is chosen beforehand.
func freePort() (netip.AddrPort, error) {
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return netip.AddrPort{}, err
	}
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), c.Close()
}

// drawSecret writes a fresh secret into dir, in the place of an earlier run's.
func drawSecret(dir string) (path string, err error) {
	path = filepath.Join(dir, "secret")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("demo: %w", err)
	}
	return path, seal.NewSecret().Write(path)
}
