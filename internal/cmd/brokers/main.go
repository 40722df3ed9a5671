// Command brokers runs private brokers on loopback until they are taken down: brokers up|down|status|fetch [KIND...]. Up prints what the
// environment of tests and measurements is given: eval "$(tools/brokers up)". Fetch gets what no system's package has: Kafka's jars.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alphapulse/transport/internal/brokers"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "brokers:", err)
		os.Exit(1)
	}
}

func run(args []string, out, notes io.Writer) error {
	if len(args) == 0 || !slices.Contains([]string{"up", "down", "status", "fetch"}, args[0]) {
		return errors.New("usage: brokers up|down|status|fetch [KIND...]")
	}
	kinds := brokers.Kinds()
	if len(args) > 1 {
		kinds = nil
		for _, name := range args[1:] {
			if !slices.Contains(brokers.Kinds(), brokers.Kind(name)) {
				return fmt.Errorf("no kind %q: %v", name, brokers.Kinds())
			}
			kinds = append(kinds, brokers.Kind(name))
		}
	}
	switch args[0] {
	case "up":
		return up(kinds, out, notes)
	case "down":
		return down(kinds)
	case "fetch":
		if !slices.Contains(kinds, brokers.KindKafka) {
			return nil
		}
		_, err := brokers.KafkaJars(context.Background())
		return err
	}
	for _, n := range brokers.Running() {
		fmt.Fprintf(out, "%s\t%s\tpid %d\t%s\t%s\n", n.Kind, n.URL, n.Pid, n.Dir, whose(n))
	}
	return nil
}

func whose(n brokers.Note) string {
	if n.Owner == 0 {
		return "until it is taken down"
	}
	return fmt.Sprintf("of process %d", n.Owner)
}

// up starts what does not run yet. A kind that is not installed is named and passed.
func up(kinds []brokers.Kind, out, notes io.Writer) error {
	var faults []error
	for _, k := range kinds {
		if i := slices.IndexFunc(brokers.Running(), func(n brokers.Note) bool { return n.Kind == k && n.Owner == 0 }); i >= 0 {
			say(out, k, brokers.Running()[i].URL)
			continue
		}
		b, err := brokers.Open(k, "")
		if errors.Is(err, brokers.ErrMissing) {
			fmt.Fprintln(notes, "brokers:", err)
			continue
		}
		if err == nil {
			err = b.Keep()
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		say(out, k, b.URL)
	}
	return errors.Join(faults...)
}

func say(out io.Writer, k brokers.Kind, url string) {
	fmt.Fprintf(out, "export PULSE_%s=%s\n", strings.ToUpper(string(k)), url)
}

func down(kinds []brokers.Kind) error {
	var faults []error
	for _, n := range brokers.Running() {
		if n.Owner == 0 && slices.Contains(kinds, n.Kind) {
			faults = append(faults, brokers.TakeDown(n))
		}
	}
	return errors.Join(faults...)
}
