package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan writes the pages that man(1) shows.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of every verb into a directory",
		Long: "Writes pulse.1 and a page for each verb, pulse-run.1 for instance, into DIR, which is made when it is not there. Pages of\n" +
			"one program are the same wherever they are written. Their date is SOURCE_DATE_EPOCH, in seconds since 1970; without it they have none.",
		Example: "  pulse man /usr/local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
			if err != nil {
				return exit(exitUsage, fmt.Errorf("man: %w", err))
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			return writePages(args[0], date, c.Root())
		},
	}
}

// sourceDate is the day that builds which can be repeated have instead of today.
func sourceDate(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	s, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", fmt.Errorf("SOURCE_DATE_EPOCH is %q, not seconds since 1970", epoch)
	}
	return time.Unix(s, 0).UTC().Format(time.DateOnly), nil
}

// writePages writes the page of a verb and of those below it.
func writePages(dir, date string, c *cobra.Command) error {
	err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(page(c, date)), 0o644)
	for _, below := range shownBelow(c) {
		err = errors.Join(err, writePages(dir, date, below))
	}
	return err
}

// shownBelow are the verbs below c that have pages.
func shownBelow(c *cobra.Command) (all []*cobra.Command) {
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() && below.Name() != "help" {
			all = append(all, below)
		}
	}
	return all
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// page is the manual page of one verb in the man macros, as man-pages(7) orders it.
func page(c *cobra.Command, date string) string {
	var b strings.Builder
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %q 1 %q %q %q\n", roff(strings.ToUpper(name)), date, "Pulse "+version, "Pulse")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n%s\n", roff(name), roff(c.Short), roff(c.UseLine()))
	if len(shownBelow(c)) > 0 {
		fmt.Fprintf(&b, "%s\n", roff(c.CommandPath()+" COMMAND [flags]"))
	}
	b.WriteString(".fi\n.SH DESCRIPTION\n")
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	b.WriteString(paragraphs(long))
	if below := shownBelow(c); len(below) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range below {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(pageName(sub)), roff(sub.Short))
		}
	}
	b.WriteString(flagList("OPTIONS", c.NonInheritedFlags()))
	b.WriteString(flagList("OPTIONS OF EVERY VERB", c.InheritedFlags()))
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n" + asIs(c.Example))
	}
	b.WriteString(".SH EXIT STATUS\n0 ok, 1 a check failed, 2 usage, 3 runtime.\n")
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roff(pageName(c.Parent())))
	}
	return b.String()
}

func flagList(title string, flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, ".SH %s\n", title)
		}
		kind, text := pflag.UnquoteUsage(f)
		head := `\fB` + roff("--"+f.Name) + `\fR`
		if f.Shorthand != "" {
			head = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + head
		}
		if kind != "" {
			head += ` \fI` + roff(kind) + `\fR`
		}
		if !strings.Contains(text, "default") && f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" && f.DefValue != "0s" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, ".TP\n%s\n%s\n", head, roff(text))
	})
	return b.String()
}

// paragraphs fills text at the reader's width, but for what was laid out by hand: tables and examples, whose lines begin with a space.
func paragraphs(text string) string {
	var b strings.Builder
	for i, p := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") || strings.Contains(p, "\t") {
			b.WriteString(asIs(p))
			continue
		}
		b.WriteString(roff(p) + "\n")
	}
	return b.String()
}

func asIs(text string) string { return ".nf\n" + roff(strings.Trim(text, "\n")) + "\n.fi\n" }

// roff is text in which nothing means anything to the formatter: backslashes, minus signs that are typed as such, and lines that begin like a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
