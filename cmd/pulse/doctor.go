package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/internal/doctor"
	"github.com/alphapulse/transport/numa"
)

// doctorFlags are the command line as it came.
type doctorFlags struct {
	node, root, profile, cores, format string
	interfaces                         []string
	quick, script, all                 bool
}

// newDoctor says what of a host costs latency or loses messages.
func newDoctor() *cobra.Command {
	f := doctorFlags{profile: string(doctor.Balanced), format: "text"}
	cmd := &cobra.Command{
		Use:   "doctor [FILE --node NAME]",
		Short: "Say what of this host costs latency or loses messages, why, and what mends it",
		Long: "Looks at cores, memory, kernel, network, limits and disks (docs/doctor.md). It changes nothing. FILE is a topology: what its node NAME\n" +
			"will use decides which cores, interfaces, brokers and journals are looked at and how much memory there must be. Without FILE,\n" +
			"--cores and --interface name them, or the isolated cores are the hot ones.\n\n" +
			"The profile is balanced unless told otherwise: it asks only what costs other work on the host nothing. hft asks what spinning\n" +
			"loops on cores of their own need, cloud what a guest can decide for itself.\n\n" +
			"Exit code 0 when no check failed, 1 when one did, 2 when the command line or FILE is wrong, 3 when there is no host to look at.",
		Example: "  pulse doctor\n  pulse doctor topology.yaml --node trade --profile hft\n  pulse doctor --cores 2-3 --interface eth0 --profile hft --fix-script",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.node, "node", "", "the node of FILE that this host is")
	flags.StringVar(&f.root, "root", "/", "look at a directory that is laid out like a host's root instead")
	flags.StringVar(&f.profile, "profile", f.profile, "hft, balanced or cloud")
	flags.StringVar(&f.cores, "cores", "", "the hot cores, such as 2-3,8 (default: those of FILE, or the isolated ones)")
	flags.StringSliceVar(&f.interfaces, "interface", nil, "the network interfaces that will be used (default: those of FILE)")
	flags.BoolVar(&f.quick, "quick", false, "do not wait a second for counters to move, and dial no broker")
	flags.BoolVar(&f.script, "fix-script", false, "print a shell script that would mend what is wrong, and run nothing; exit code 0")
	flags.BoolVarP(&f.all, "verbose", "v", false, "say of every check what it reads and why")
	outputFlag(cmd, &f.format)
	return cmd
}

func (f doctorFlags) run(cmd *cobra.Command, args []string) error {
	o := doctor.Options{Root: f.root, Profile: doctor.Profile(f.profile), Quick: f.quick}
	if f.format != "text" && f.format != "json" {
		return exit(exitUsage, fmt.Errorf("doctor: output %q is not text or json", f.format))
	}
	switch {
	case len(args) == 0 && f.node != "":
		return exit(exitUsage, errors.New("doctor: --node is of a topology: name its FILE"))
	case len(args) == 1 && f.node == "":
		return exit(exitUsage, errors.New("doctor: --node says which node of the topology this host is"))
	case len(args) == 1:
		t, p, refused, err := resolved(cmd, args[0], f.format)
		if err == nil && refused != nil {
			err = exit(exitUsage, refused)
		}
		if err != nil {
			return fmt.Errorf("doctor: %w", err)
		}
		if o.Use, err = doctor.UseOf(t, p, f.node); err != nil {
			return exit(exitUsage, err)
		}
	}
	if f.cores != "" {
		cores, err := numa.ParseCPUs(f.cores)
		if err != nil {
			return exit(exitUsage, fmt.Errorf("doctor: --cores: %w", err))
		}
		o.Use.Cores = cores
	}
	if f.interfaces != nil {
		o.Use.Interfaces = nil
		for _, name := range f.interfaces {
			o.Use.Interfaces = append(o.Use.Interfaces, doctor.Interface{Name: name})
		}
	}
	r, err := doctor.Check(cmd.Context(), o)
	switch {
	case errors.Is(err, doctor.ErrOptions):
		return exit(exitUsage, err)
	case err != nil:
		return exit(exitRuntime, err)
	}
	return f.print(cmd, r)
}

// print shows the report as asked, and turns a failed check into the exit code.
func (f doctorFlags) print(cmd *cobra.Command, r doctor.Report) error {
	var err error
	switch out := cmd.OutOrStdout(); {
	case f.script:
		err = r.WriteScript(out)
	case f.format == "json":
		err = r.WriteJSON(out)
	default:
		err = r.WriteText(out, f.all)
	}
	if err != nil {
		return exit(exitRuntime, fmt.Errorf("doctor: %w", err))
	}
	if failed := r.Failed(); len(failed) > 0 && !f.script {
		return exit(exitCheck, fmt.Errorf("doctor: this host is %s for the profile %s: %s", r.Verdict, r.Profile, strings.Join(failed, ", ")))
	}
	return nil
}
