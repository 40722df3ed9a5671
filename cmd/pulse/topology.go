package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/examples"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// findingFormats are the values of validate --output.
var findingFormats = map[string]func(topo.Findings, io.Writer) error{
	"text": topo.Findings.WriteText, "json": topo.Findings.WriteJSON, "sarif": topo.Findings.WriteSARIF,
}

func newValidate() *cobra.Command {
	format, strict, effective := "text", false, false
	c := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check topology files: all errors at once, each with its line and what mends it",
		Long: "Reads each FILE with what it includes and prints everything that is wrong or risky (docs/topology.md).\n" +
			"Exit code 0 when there is no error, 1 when there is one, or a warning under --strict, 2 when a FILE cannot be read.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			write, ok := findingFormats[format]
			if !ok {
				return exit(exitUsage, fmt.Errorf("validate: output %q is not text, json or sarif", format))
			}
			return validate(args, strict, effective, write, c.OutOrStdout())
		},
	}
	c.Flags().StringVarP(&format, "output", "o", format, "text, json or sarif")
	c.Flags().BoolVar(&strict, "strict", false, "a warning is an error")
	c.Flags().BoolVar(&effective, "effective", false, "print every value of every channel with where it came from, when a FILE is good")
	return c
}

func validate(files []string, strict, effective bool, write func(topo.Findings, io.Writer) error, out io.Writer) error {
	var all topo.Findings
	var good []*topo.Topology
	unreadable := false
	for _, file := range files {
		t, found := topo.Load(file)
		if found.Err() == nil {
			_, more := route.Resolve(t)
			found = append(found, more...)
		}
		all = append(all, found...)
		for _, f := range found {
			unreadable = unreadable || f.Rule == "unreadable"
		}
		if found.Err() == nil {
			good = append(good, t)
		}
	}
	err := write(all, out)
	for _, t := range good {
		if effective {
			err = errors.Join(err, t.WriteEffective(out))
		}
	}
	if err != nil {
		return exit(exitRuntime, fmt.Errorf("validate: %w", err))
	}
	wrong, risky := all.Count()
	switch says := fmt.Errorf("validate: %d errors, %d warnings in %s", wrong, risky, strings.Join(files, ", ")); {
	case unreadable:
		return exit(exitUsage, says)
	case wrong > 0 || strict && risky > 0:
		return exit(exitCheck, says)
	}
	return nil
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of topology files, for editors",
		Long: "Prints the JSON schema (draft 2020-12) of topology files. An editor with a YAML language server takes it from\n" +
			"a first line like: # yaml-language-server: $schema=topology.schema.json",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := c.OutOrStdout().Write(topo.Schema()); err != nil {
				return exit(exitRuntime, fmt.Errorf("schema: %w", err))
			}
			return nil
		},
	}
}

func newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init TEMPLATE [FILE]",
		Short: "Print a topology to begin with, or write it into FILE",
		Long: "Templates: " + strings.Join(examples.Names(), ", ") + ".\n" +
			"An existing FILE is left as it is: exit code 2.",
		Args:      cobra.RangeArgs(1, 2),
		ValidArgs: examples.Names(),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := examples.Text(args[0])
			if err != nil {
				return exit(exitUsage, fmt.Errorf("init: %w", err))
			}
			if len(args) == 1 {
				if _, err := c.OutOrStdout().Write(text); err != nil {
					return exit(exitRuntime, fmt.Errorf("init: %w", err))
				}
				return nil
			}
			return writeNew(args[1], text)
		},
	}
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return exit(exitUsage, fmt.Errorf("init: %s exists and is not overwritten: remove it or name another file", path))
	}
	if err != nil {
		return exit(exitRuntime, fmt.Errorf("init: %w", err))
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return exit(exitRuntime, fmt.Errorf("init: %w", err))
	}
	return nil
}
