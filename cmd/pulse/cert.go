package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/netio/trust"
)

// newCert makes certificates for those who want to try links with TLS and have no authority.
func newCert() *cobra.Command {
	c := &cobra.Command{
		Use:   "cert",
		Short: "Make certificates for links with TLS",
		Long: "An authority of your own, and certificates it issues to nodes:\n\n" +
			"  pulse cert ca certs                    certs/ca.pem and its key, certs/ca-key.pem\n" +
			"  pulse cert issue certs tokyo 10.0.0.1  certs/tokyo.pem and certs/tokyo-key.pem\n\n" +
			"Copy ca.pem and a node's two files to its host; ca-key.pem stays where it is. Keys are readable by their owner only.\n" +
			"Existing files are left as they are: exit code 2.",
	}
	c.AddCommand(newCertCA(), newCertIssue())
	return c
}

func newCertCA() *cobra.Command {
	var name string
	var days int
	c := &cobra.Command{
		Use:   "ca DIR",
		Short: "Make an authority: DIR/ca.pem, and its key DIR/ca-key.pem",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			until, err := inDays(days)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o700); err != nil {
				return exit(exitRuntime, fmt.Errorf("cert: %w", err))
			}
			a, err := trust.NewAuthority(name, until)
			if err != nil {
				return exit(exitRuntime, fmt.Errorf("cert: %w", err))
			}
			return written(a.Write(authorityIn(args[0])))
		},
	}
	c.Flags().StringVar(&name, "name", "pulse", "what people will call the authority; nothing is decided by it")
	c.Flags().IntVar(&days, "days", 3650, "how long it lives")
	return c
}

func newCertIssue() *cobra.Command {
	var days int
	c := &cobra.Command{
		Use:   "issue DIR NODE [NAME...]",
		Short: "Issue a certificate to a node: DIR/NODE.pem, and its key DIR/NODE-key.pem",
		Long: "The authority is that of pulse cert ca DIR. Besides NODE the certificate has the NAMEs: DNS names, IP addresses, URIs\n" +
			"like spiffe://desk/node/tokyo. Peers allow it by any of them.",
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, node := args[0], args[1]
			if strings.ContainsAny(node, `/\:*`) || node == "ca" {
				return exit(exitUsage, fmt.Errorf("cert: node %q: a DNS name, not \"ca\"; other names follow it", node))
			}
			until, err := inDays(days)
			if err != nil {
				return err
			}
			a, err := trust.LoadAuthority(authorityIn(dir))
			if err != nil {
				return exit(exitUsage, fmt.Errorf("cert: %w: make one with pulse cert ca %s", err, dir))
			}
			p, err := a.Issue(args[1:], trust.Life{Until: until})
			if err != nil {
				return exit(exitUsage, fmt.Errorf("cert: %w", err))
			}
			return written(p.Write(filepath.Join(dir, node+".pem"), filepath.Join(dir, node+"-key.pem")))
		},
	}
	c.Flags().IntVar(&days, "days", 30, "how long it lives; at most as long as its authority")
	return c
}

func authorityIn(dir string) (cert, key string) {
	return filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
}

func inDays(days int) (time.Time, error) {
	if days < 1 || days > 36500 {
		return time.Time{}, exit(exitUsage, fmt.Errorf("cert: --days %d: 1 to 36500", days))
	}
	return time.Now().AddDate(0, 0, days), nil
}

func written(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return exit(exitUsage, fmt.Errorf("cert: %w: it is not overwritten: move it away first", err))
	case err != nil:
		return exit(exitRuntime, fmt.Errorf("cert: %w", err))
	}
	return nil
}
