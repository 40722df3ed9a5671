// Command narhash prints the hash Nix gives a directory tree: narhash PATH.
package main

import (
	"fmt"
	"os"

	"github.com/alphapulse/transport/internal/narhash"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: narhash PATH")
		os.Exit(2)
	}
	sum, err := narhash.Sum(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "narhash:", err)
		os.Exit(1)
	}
	fmt.Println(sum)
}
