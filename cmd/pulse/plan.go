package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

// newPlan prints how each channel of a topology travels.
func newPlan() *cobra.Command {
	var actor, format string
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Print how every channel of a topology travels, and by which rule",
		Long: "Resolves FILE (docs/routing.md) and prints a line for each ring, and for each publisher and subscriber of a channel.\n" +
			"What is wrong or risky goes to the standard error. Exit code 0, 1 when the plan must not run, 2 when FILE is wrong.",
		Example: "  pulse plan topology.yaml\n  pulse plan topology.yaml --actor strategy -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, p, refused, err := resolved(c, args[0], format)
			if err != nil {
				return fmt.Errorf("plan: %w", err)
			}
			if actor != "" {
				if err := knownActor(t, "actor", actor); err != nil {
					return exit(exitUsage, fmt.Errorf("plan: %w", err))
				}
				p = p.For(actor)
			}
			return ended("plan", show(c.OutOrStdout(), format, p.WriteText, p), refused)
		},
	}
	c.Flags().StringVar(&actor, "actor", "", "only what this actor publishes on and subscribes to")
	outputFlag(c, &format)
	return c
}

// newExplain prints why a channel travels as it does.
func newExplain() *cobra.Command {
	var from, to, channel, dir, format string
	c := &cobra.Command{
		Use:   "explain FILE",
		Short: "Say why a channel travels as it does: the rule, and each alternative with the reason against it",
		Long: "Resolves FILE (docs/routing.md) and prints each decision about --channel from --from to --to, an absent flag being any:\n" +
			"rule, fallback, durability, latency, encryption and compression in force, and the media that were rejected. Where pulse run\n" +
			"joins the publisher's node on this machine, also the medium that carries the channel now, and what became of the others.\n" +
			"Exit code 0, 1 when there is no such way or the plan must not run, 2 when FILE or a name is wrong.",
		Example: "  pulse explain topology.yaml --from strategy --to gateway --channel orders",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t, p, refused, err := resolved(c, args[0], format)
			if err != nil {
				return fmt.Errorf("explain: %w", err)
			}
			for flag, name := range map[string]string{"from": from, "to": to} {
				if err := knownActor(t, flag, name); err != nil {
					return exit(exitUsage, fmt.Errorf("explain: %w", err))
				}
			}
			if channel != "" && t.Channel(channel) == nil {
				return exit(exitUsage, fmt.Errorf("explain: --channel %s: the file has %s", channel, names(t.Channels, func(c topo.Channel) string { return c.Name })))
			}
			found := p.Find(channel, from, to)
			if len(found) == 0 {
				return exit(exitCheck, fmt.Errorf("explain: nothing travels that way: look at inputs and outputs with pulse plan %s", args[0]))
			}
			text := func(w io.Writer) error {
				for _, d := range found {
					if err := d.WriteText(w); err != nil {
						return err
					}
					if err := liveOf(t, d, dir).write(w); err != nil {
						return err
					}
					if err := writeRefused(w, refusedOf(t, d, dir)); err != nil {
						return err
					}
				}
				return nil
			}
			all := make([]explained, len(found))
			for i, d := range found {
				all[i] = explained{d, liveOf(t, d, dir), refusedOf(t, d, dir)}
			}
			return ended("explain", show(c.OutOrStdout(), format, text, all), refused)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "the actor that publishes")
	f.StringVar(&to, "to", "", "the actor that subscribes")
	f.StringVar(&channel, "channel", "", "the channel")
	f.StringVar(&dir, "dir", "", "the rings of the publisher's or the subscriber's node, where pulse run was told other than the default")
	outputFlag(c, &format)
	return c
}

// newDiff prints what a new topology would do to channels that run.
func newDiff() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say which channels a new topology adds, removes, changes, restarts or leaves alone",
		Long: "Resolves both files (docs/routing.md) and compares what is carried out, not how it is written. A changed channel gets\n" +
			"other links while it runs; a restarted one gets other rings, so its publishers and subscribers open again.\n" +
			"Exit code 0 when nothing changes, 1 when something does, 2 when a file is wrong or its plan must not run.",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var plans [2]*route.Plan
			for i, file := range args {
				_, p, refused, err := resolved(c, file, format)
				if err != nil {
					return fmt.Errorf("diff: %w", err)
				}
				if refused != nil {
					return exit(exitUsage, fmt.Errorf("diff: %s: %w", file, refused))
				}
				plans[i] = p
			}
			changes := route.Diff(plans[0], plans[1])
			var err error
			if format == "json" {
				err = changes.WriteJSON(c.OutOrStdout())
			} else {
				err = changes.WriteText(c.OutOrStdout())
			}
			if err == nil && !changes.Same() {
				return exit(exitCheck, fmt.Errorf("diff: %s and %s differ", args[0], args[1]))
			}
			return ended("diff", err, nil)
		},
	}
	outputFlag(c, &format)
	return c
}

func outputFlag(c *cobra.Command, format *string) {
	c.Flags().StringVarP(format, "output", "o", "text", "text or json")
}

// resolved loads and resolves a file. What there is to say about it goes to the standard error; refused is not nil when the
// plan must not run.
func resolved(c *cobra.Command, file, format string) (t *topo.Topology, p *route.Plan, refused, err error) {
	if format != "text" && format != "json" {
		return nil, nil, nil, exit(exitUsage, fmt.Errorf("output %q is not text or json", format))
	}
	t, findings := topo.Load(file)
	if findings.Err() == nil {
		var more topo.Findings
		p, more = route.Resolve(t)
		findings = append(findings, more...)
	}
	if err := findings.WriteText(c.ErrOrStderr()); err != nil {
		return nil, nil, nil, exit(exitRuntime, err)
	}
	wrong, _ := findings.Count()
	switch {
	case p == nil:
		return nil, nil, nil, exit(exitUsage, fmt.Errorf("%d errors in %s", wrong, file))
	case wrong > 0:
		refused = fmt.Errorf("the plan of %s must not run: %d errors", file, wrong)
	}
	return t, p, refused, nil
}

// show prints as the format says.
func show(w io.Writer, format string, text func(io.Writer) error, v any) error {
	if format == "text" {
		return text(printable{w})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// ended is how a verb that printed ends.
func ended(verb string, printing, refused error) error {
	switch {
	case printing != nil:
		return exit(exitRuntime, fmt.Errorf("%s: %w", verb, printing))
	case refused != nil:
		return exit(exitCheck, fmt.Errorf("%s: %w", verb, refused))
	}
	return nil
}

func knownActor(t *topo.Topology, flag, name string) error {
	if name == "" || t.Actor(name) != nil {
		return nil
	}
	return fmt.Errorf("--%s %s: the file has %s", flag, name, names(t.Actors, func(a topo.Actor) string { return a.Name }))
}

// names lists a few names, for a message.
func names[T any](all []T, name func(T) string) string {
	const most = 8
	var some []string
	for i, x := range all {
		if i == most {
			some = append(some, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		some = append(some, name(x))
	}
	if some == nil {
		return "none"
	}
	return strings.Join(some, ", ")
}
