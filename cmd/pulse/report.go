package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/bench"
)

// newReport compares and shows what pulse bench has measured.
func newReport() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "Compare reports of pulse bench, or show many on one page",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return exit(exitUsage, errors.New("report: say compare or html"))
		},
	}
	c.AddCommand(newReportCompare(), newReportHTML())
	return c
}

func newReportCompare() *cobra.Command {
	var threshold, format string
	c := &cobra.Command{
		Use:   "compare BASE NEW...",
		Short: "Say which figures differ by more than chance, and fail where one has become worse",
		Long: "Compares groups of runs of the same workloads (docs/report.md). BASE and each NEW is a file of reports, one a line, as\n" +
			"pulse bench --json prints them, a directory of .json files, or several of these with commas between. Every NEW is held\n" +
			"against BASE. Take five runs or more of each side, in turns.\n" +
			"Exit code 1 when a figure is worse with p < 0.05 and by more than --threshold, 2 when an input is wrong.",
		Example: "  pulse report compare old.json new.json\n  pulse report compare --threshold 10% old.json monday.json,tuesday.json",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			share, err := shareOf(threshold)
			if err != nil {
				return exit(exitUsage, fmt.Errorf("report: compare: --threshold: %w", err))
			}
			if format != "text" && format != "json" {
				return exit(exitUsage, fmt.Errorf("report: compare: output %q is not text or json", format))
			}
			return reportCompare(c, args, share, format)
		},
	}
	c.Flags().StringVar(&threshold, "threshold", "5%", "how much worse a figure may become")
	outputFlag(c, &format)
	return c
}

// shareOf reads a percentage, with or without its sign.
func shareOf(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || !(v >= 0 && v <= 1e6) {
		return 0, fmt.Errorf("%q is not a percentage from zero up", text)
	}
	return v / 100, nil
}

func reportCompare(c *cobra.Command, args []string, threshold float64, format string) error {
	groups, err := reportGroups(args)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("report: compare: %w", err))
	}
	var all []*bench.Comparison
	for _, g := range groups[1:] {
		one, err := bench.CompareGroups(groups[0], g, threshold)
		if err != nil {
			return exit(exitUsage, fmt.Errorf("report: compare: %w", err))
		}
		all = append(all, one)
	}
	if format == "json" {
		err = show(c.OutOrStdout(), format, nil, all)
	}
	var worse []string
	for i, one := range all {
		if format == "text" {
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout())
			}
			err = errors.Join(err, one.WriteText(c.OutOrStdout()))
		}
		for _, ch := range one.Regressions() {
			worse = append(worse, ch.Workload+" "+ch.Figure)
		}
	}
	var refused error
	if len(worse) > 0 {
		refused = fmt.Errorf("worse by more than %.3g %%: %s", 100*threshold, names(worse, func(s string) string { return s }))
	}
	return ended("report: compare", err, refused)
}

// reportGroups reads a group for each argument; all faults come together.
func reportGroups(args []string) (groups []bench.Group, err error) {
	for _, a := range args {
		reports, rerr := bench.ReadReports(strings.Split(a, ",")...)
		groups, err = append(groups, bench.Group{Name: a, Reports: reports}), errors.Join(err, rerr)
	}
	return groups, err
}

func newReportHTML() *cobra.Command {
	title := "Pulse, measured"
	c := &cobra.Command{
		Use:   "html OUT.html FILES...",
		Short: "Show many reports on one page that fetches nothing",
		Long: "Writes OUT.html with every run in FILES: files of reports, one a line, as pulse bench --json prints them, and directories of\n" +
			".json files, as pulse bench --out writes them. Where NAME.hlog lies beside NAME.json, curves come from the whole\n" +
			"distribution, and the subject is shown over time; else from the percentiles that the report quotes (docs/report.md).\n" +
			"Exit code 2 when an input is wrong.",
		Example: "  pulse bench ring/pingpong --out runs\n  pulse report html matrix.html runs",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return reportHTML(c, args[0], args[1:], title)
		},
	}
	c.Flags().StringVar(&title, "title", title, "what stands above")
	return c
}

func reportHTML(c *cobra.Command, out string, files []string, title string) error {
	if filepath.Ext(out) != ".html" { // a forgotten OUT would write over the first input
		return exit(exitUsage, fmt.Errorf("report: html: %s: the page's name comes first and ends in .html", out))
	}
	reports, err := bench.ReadReports(files...)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("report: html: %w", err))
	}
	for _, r := range reports {
		if _, lerr := r.ReadLog(); lerr != nil {
			err = errors.Join(err, lerr)
		}
	}
	if err != nil {
		return exit(exitUsage, fmt.Errorf("report: html: %w", err))
	}
	var page bytes.Buffer
	if err = (bench.Matrix{Title: title, Reports: reports}).WriteHTML(&page); err == nil {
		err = os.WriteFile(out, page.Bytes(), 0o644)
	}
	if err != nil {
		return exit(exitRuntime, fmt.Errorf("report: html: %w", err))
	}
	fmt.Fprintln(c.ErrOrStderr(), "wrote", out)
	return nil
}
