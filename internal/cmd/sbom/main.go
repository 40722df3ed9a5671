// Command sbom prints what a Go program is made of, as CycloneDX 1.6: sbom PROGRAM VERSION. It reads what the linker wrote into the
// program (debug/buildinfo), so that it tells what is in there and not what a module file asks for. The time is SOURCE_DATE_EPOCH,
// or there is none; one program gives the same bytes every time.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM VERSION")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(program, version string) error {
	b, err := Read(program, version, os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(b)
}
