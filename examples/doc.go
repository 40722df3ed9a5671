// Package examples holds topology files to begin with: each loads without errors or warnings, and `pulse init` prints them.
//
// A file's life: embedded here → printed by `pulse init` → edited → read by route/topo. The files show what topologies can
// say; docs/topology.md says it in full.
//
// # Limits
//
// They name machines, regions and brokers that exist nowhere.
package examples

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the examples, without the ending of their files.
func Names() (all []string) {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // they are part of the program
	}
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return all
}

// Text is the example of that name.
func Text(name string) ([]byte, error) {
	b, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("examples: there is none named %q: take one of %s", name, strings.Join(Names(), ", "))
	}
	return b, nil
}
