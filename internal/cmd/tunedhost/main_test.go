package main

import (
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/doctor"
)

func printed(t *testing.T, args ...string) string {
	t.Helper()
	var b strings.Builder
	if err := run(args, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEverySettingIsInBothForms: what the table has of every profile stands in the files of sysctl and tuned.
func TestEverySettingIsInBothForms(t *testing.T) {
	for name, p := range doctor.TunedHost().Profiles {
		sysctl, tuned := printed(t, "sysctl", string(name)), printed(t, "tuned", string(name))
		for key, value := range p.Sysctl {
			line := "\n" + key + " = " + value + "\n"
			if strings.Contains(value, "@") {
				line = "\n# " + line[1:]
			}
			if !strings.Contains(sysctl, line) {
				t.Errorf("%s: %q is not in\n%s", name, line, sysctl)
			}
			if !strings.Contains(tuned, "\n"+key+"=") && !strings.Contains(tuned, "\n# "+key+"=PAGES") {
				t.Errorf("%s: %s is not in\n%s", name, key, tuned)
			}
		}
		for _, f := range p.Files {
			if !strings.Contains(tuned, "\n"+f.Path+"=") {
				t.Errorf("%s: %s is not in\n%s", name, f.Path, tuned)
			}
		}
		for _, param := range p.KernelParams {
			if key, _, _ := strings.Cut(param, "="); !strings.Contains(tuned, key+"=") {
				t.Errorf("%s: %s is not in\n%s", name, key, tuned)
			}
		}
		if strings.Contains(tuned, "@") {
			t.Errorf("%s: something is not filled in in\n%s", name, tuned)
		}
	}
}

func TestWhatIsNotInTheTableIsRefused(t *testing.T) {
	for _, args := range [][]string{{"ini"}, {"tuned", "laptop"}, {"tuned", "hft", "more"}} {
		if err := run(args, &strings.Builder{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
