package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Profile is what a host is for; it decides what is asked and how much a fault weighs.
type Profile string

// The profiles.
const (
	HFT      Profile = "hft"      // spinning loops on cores of their own, bare metal: everything that stalls a core is a fault
	Balanced Profile = "balanced" // parked loops beside other work: what costs the rest of the host nothing
	Cloud    Profile = "cloud"    // a virtual machine or container: what a guest can decide for itself
)

// Profiles lists them, the strictest first.
func Profiles() []Profile { return []Profile{HFT, Balanced, Cloud} }

// Status is what became of a check.
type Status string

// What may become of a check.
const (
	Pass Status = "PASS"
	Warn Status = "WARN"
	Fail Status = "FAIL"
	Skip Status = "SKIP" // the check cannot be made here, or the profile does not ask for it; Why says which
)

// The verdicts on a host.
const (
	Fit             = "fit"
	FitWithWarnings = "fit with warnings"
	Unfit           = "unfit"
)

// Result is one check of one host.
type Result struct {
	ID      string `json:"id"`
	Status  Status `json:"status"`
	Current string `json:"current"` // what was found; empty: unknown
	Wanted  string `json:"wanted"`  // by the profile; empty: it does not ask
	Why     string `json:"why"`     // it matters; of a skipped check, why it was not made
	Fix     string `json:"fix"`     // commands, or what to do; empty unless Status is Warn or Fail
	Reboot  bool   `json:"reboot"`  // the fix takes effect at the next boot

	title, reads string
	remedy       remedy
}

// remedy is what mends a fault.
type remedy struct {
	commands []string // for a shell of root
	params   []string // for the kernel's command line
	advice   string   // for a person
}

// String is the remedy in one line.
func (r remedy) String() string {
	parts := slices.Clone(r.commands)
	if len(r.params) > 0 {
		parts = append(parts, "kernel command line: "+strings.Join(r.params, " "))
	}
	if r.advice != "" {
		parts = append(parts, r.advice)
	}
	return strings.Join(parts, "; ")
}

// Report is a look at one host.
type Report struct {
	Profile Profile  `json:"profile"`
	Verdict string   `json:"verdict"`
	Checks  []Result `json:"checks"`
}

// Count says how many checks ended so.
func (r Report) Count(s Status) (n int) {
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Failed lists the ids of the checks that failed, in the order of the report.
func (r Report) Failed() (ids []string) {
	for _, c := range r.Checks {
		if c.Status == Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// Summary is what a measurement says of the host it was taken on.
type Summary struct {
	Profile Profile  `json:"profile"`
	Verdict string   `json:"verdict"`
	Passed  int      `json:"passed"`
	Warned  int      `json:"warned"`
	Skipped int      `json:"skipped"`
	Failed  []string `json:"failed,omitempty"` // ids
}

// Summary is the report in a few words.
func (r Report) Summary() Summary {
	return Summary{Profile: r.Profile, Verdict: r.Verdict, Passed: r.Count(Pass), Warned: r.Count(Warn), Skipped: r.Count(Skip), Failed: r.Failed()}
}

// verdict weighs all checks.
func (r Report) verdict() string {
	switch {
	case r.Count(Fail) > 0:
		return Unfit
	case r.Count(Warn) > 0:
		return FitWithWarnings
	}
	return Fit
}

// WriteJSON prints the report as one object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText prints a line for each check, and below what did not pass why it matters and what mends it; all says so of the others, too.
func (r Report) WriteText(w io.Writer, all bool) error {
	wide := 0
	for _, c := range r.Checks {
		wide = max(wide, len(c.ID))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "profile %s: %s (%d passed, %d warnings, %d failed, %d skipped)\n\n", r.Profile, r.Verdict,
		r.Count(Pass), r.Count(Warn), r.Count(Fail), r.Count(Skip))
	for _, c := range r.Checks {
		found := c.Current
		if c.Status == Skip {
			found = c.Why
		}
		fmt.Fprintf(&b, "%s  %-*s  %s", c.Status, wide, c.ID, found)
		if c.Wanted != "" && c.Status != Skip {
			fmt.Fprintf(&b, "  [wanted: %s]", c.Wanted)
		}
		b.WriteByte('\n')
		c.details(&b, all)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// details are the lines below a check.
func (c Result) details(b *strings.Builder, all bool) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "      %-6s %s\n", name, text)
		}
	}
	if all {
		line("is", c.title)
		line("reads", c.reads)
	}
	if c.Status == Warn || c.Status == Fail || all && c.Status == Pass {
		line("why", c.Why)
	}
	fix := c.Fix
	if fix != "" && c.Reboot {
		fix += " (then reboot)"
	}
	line("fix", fix)
}

// WriteScript prints what would mend the host as a script for a shell. It is for reading first: it is never run from here.
func (r Report) WriteScript(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\n# What pulse doctor would change on this host for the profile %s. Read it, keep what you agree with, run it as root.\n"+
		"# Until the next boot only: what shall stay belongs into /etc/sysctl.d, tmpfiles.d and the kernel command line.\nset -u\n", r.Profile)
	var params []string
	for _, c := range r.Checks {
		if c.Fix == "" {
			continue
		}
		fmt.Fprintf(&b, "\n# %s %s: %s\n", c.Status, c.ID, c.Why)
		if c.remedy.advice != "" {
			fmt.Fprintf(&b, "# %s\n", c.remedy.advice)
		}
		for _, p := range c.remedy.params {
			fmt.Fprintf(&b, "# kernel command line: %s\n", p)
			if !slices.Contains(params, p) {
				params = append(params, p)
			}
		}
		for _, line := range c.remedy.commands {
			fmt.Fprintf(&b, "%s\n", line)
		}
	}
	if len(params) > 0 {
		fmt.Fprintf(&b, "\n# All of the kernel command line, for the boot loader; then reboot:\n#   %s\n", strings.Join(params, " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
