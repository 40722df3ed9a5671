package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/bench"
)

// version is the release that this program was built as: go build -ldflags "-X main.version=1.2.3".
var version = "unreleased"

// build is what the program knows of itself.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`

	Settings map[string]string `json:"settings,omitempty"` // of the build: CGO_ENABLED, GOAMD64, -trimpath, ...
	Modules  []buildModule     `json:"modules,omitempty"`  // that are linked in

	order []string // of Settings, as the go command wrote them
}

// buildModule is one module in the program, as go.sum names it.
type buildModule struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"`
}

// newVersion says what this program is made of.
func newVersion() *cobra.Command {
	var all bool
	var format string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print which Pulse this is: release, commit, Go",
		Long: "Prints the release, the commit and the Go that this program was built of. --build-info adds the settings of the build and\n" +
			"every module that is linked in, with the checksum of go.sum.",
		Example: "  pulse version --build-info -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return exit(exitUsage, fmt.Errorf("version: output %q is not text or json", format))
			}
			b := readBuild(all)
			return show(c.OutOrStdout(), format, b.WriteText, b)
		},
	}
	c.Flags().BoolVar(&all, "build-info", false, "settings and modules, too")
	outputFlag(c, &format)
	return c
}

func readBuild(all bool) *build {
	b := &build{Version: version, Commit: bench.BuiltFrom(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !all || !ok {
		return b
	}
	b.Settings = map[string]string{}
	for _, s := range info.Settings {
		b.Settings[s.Key] = s.Value
		b.order = append(b.order, s.Key)
	}
	for _, m := range info.Deps {
		for m.Replace != nil {
			m = m.Replace
		}
		b.Modules = append(b.Modules, buildModule{m.Path, m.Version, m.Sum})
	}
	return b
}

// WriteText is for people.
func (b *build) WriteText(w io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "pulse %s, commit %s, %s %s/%s\n", b.Version, b.Commit, b.Go, b.OS, b.Arch)
	for _, key := range b.order {
		fmt.Fprintf(&t, "  %s=%s\n", key, b.Settings[key])
	}
	for _, m := range b.Modules {
		fmt.Fprintf(&t, "  %s %s %s\n", m.Path, m.Version, m.Sum)
	}
	_, err := io.WriteString(w, t.String())
	return err
}
