package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/demo"
	"github.com/alphapulse/transport/seal"
)

// farFlags say where a stage's trades travel to or arrive.
type farFlags struct {
	flag, at, secret, xdp string
}

func (f *farFlags) add(cmd *cobra.Command, flag, usage string) {
	f.flag = flag
	cmd.Flags().StringVar(&f.at, flag, "", usage)
	cmd.Flags().StringVar(&f.secret, "secret", "", "seal with the secret in this file, see pulse keygen; both ends have the same")
	cmd.Flags().StringVar(&f.xdp, "xdp", "", "INTERFACE[:QUEUE,...]: past the kernel's sockets there (AF_XDP), or with a socket and a warning where that cannot be")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if f.secret != "" && f.at == "" {
			return exit(exitUsage, fmt.Errorf("%s: --secret without --%s: nothing is sealed", cmd.Name(), flag))
		}
		if f.xdp != "" && f.at == "" {
			return exit(exitUsage, fmt.Errorf("%s: --xdp without --%s: nothing travels", cmd.Name(), flag))
		}
		return before(cmd, args)
	}
}

// chosen is what the flags ask for.
func (f *farFlags) chosen() (far demo.Far, err error) {
	if f.at == "" {
		return far, nil
	}
	at, err := net.ResolveUDPAddr("udp", f.at)
	if err == nil && at.Port == 0 {
		err = errors.New("no port")
	}
	if err != nil {
		return far, exit(exitUsage, fmt.Errorf("--%s %q is not HOST:PORT: %w", f.flag, f.at, err))
	}
	if at.IP == nil {
		at.IP = net.IPv4zero
	}
	ap := at.AddrPort()
	far.Addr = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if f.xdp != "" {
		if far.XDP, err = parseInterface(f.xdp); err != nil {
			return far, exit(exitUsage, fmt.Errorf("--xdp %q: %w", f.xdp, err))
		}
		far.Notice = func(format string, args ...any) { fmt.Fprintf(os.Stderr, demo.NotePrefix+format+"\n", args...) }
	}
	if f.secret != "" {
		s, err := seal.LoadSecret(f.secret)
		if err != nil {
			return far, exit(exitUsage, err)
		}
		far.Secret = &s
	}
	return far, nil
}
