// Command pulse runs, measures and inspects the Pulse transport.
//
// Exit codes: 0 ok, 1 a check failed, 2 usage, 3 runtime.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

const (
	exitCheck   = 1 // something was verified and did not hold
	exitUsage   = 2 // the command line or its input file is wrong
	exitRuntime = 3 // the machine or a peer refused
)

// exitError carries the code a verb wants the process to end with.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exit wraps err so that the process ends with code.
func exit(code int, err error) error { return &exitError{code, err} }

// ran is set once a verb's own code starts: errors before it are usage errors.
var ran bool

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "pulse",
		Short:         "A transport engine for latency-critical trading systems",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			ran = true
		},
	}
	root.AddCommand(newBench(), newBenchPeer(), newCert(), newChaos(), newClean(), newDecode(), newDemo(), newDiff(), newDoctor(), newExplain(),
		newFeed(), newInit(), newInspect(), newJitter(), newJournal(), newKeygen(), newLs(), newMan(), newMetrics(), newPing(),
		newPlan(), newProvision(), newRecord(), newReport(), newRun(), newSchema(), newSink(), newStrategy(), newTap(), newTop(), newTraces(),
		newValidate(), newVersion(), newWeb(), newXDP())
	return root
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal asks, the second ends the process at once
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "pulse:", inPrint(err.Error()))
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		os.Exit(coded.code)
	case ran:
		os.Exit(exitRuntime)
	default:
		os.Exit(exitUsage)
	}
}
