// Command tunedhost prints what hosts are configured with so that pulse doctor finds them fit, as nix/tuned-host.json has it.
package main

import (
	"fmt"
	"os"

	"github.com/alphapulse/transport/internal/doctor"
)

func main() {
	if err := doctor.TunedHost().WriteJSON(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tunedhost:", err)
		os.Exit(1)
	}
}
