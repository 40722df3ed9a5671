// Command tunedhost prints what hosts are configured with so that pulse doctor finds them fit:
//
//	tunedhost                     as nix/tuned-host.json has it
//	tunedhost sysctl [PROFILE]    /etc/sysctl.d/60-pulse.conf
//	tunedhost tuned [PROFILE]     /etc/tuned/pulse/tuned.conf
//
// PROFILE is hft unless said. What differs from host to host is left to whoever installs it.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alphapulse/transport/internal/doctor"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tunedhost:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return doctor.TunedHost().WriteJSON(out)
	}
	name := doctor.HFT
	if len(args) == 2 {
		name = doctor.Profile(args[1])
	}
	p, ok := doctor.TunedHost().Profiles[name]
	if !ok || len(args) > 2 {
		return fmt.Errorf("there is no profile %q: %v", strings.Join(args[1:], " "), doctor.Profiles())
	}
	text := ""
	switch args[0] {
	case "sysctl":
		text = sysctlConf(name, p)
	case "tuned":
		text = tunedConf(name, p)
	default:
		return fmt.Errorf("%s is not sysctl or tuned", args[0])
	}
	_, err := io.WriteString(out, text)
	return err
}

// sysctlConf is for sysctl.d(5). Hugepages are for whoever knows how many rings there are.
func sysctlConf(name doctor.Profile, p doctor.TunedProfile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What pulse doctor --profile %s asks of sysctl: copy it to /etc/sysctl.d, then sysctl --system.\n", name)
	for _, key := range slices.Sorted(maps.Keys(p.Sysctl)) {
		comment := ""
		if strings.Contains(p.Sysctl[key], "@") {
			comment = "# "
		}
		fmt.Fprintf(&b, "%s%s = %s\n", comment, key, p.Sysctl[key])
	}
	return b.String()
}

// tunedConf is a profile of tuned, which fills in what follows from isolated_cores.
func tunedConf(name doctor.Profile, p doctor.TunedProfile) string {
	fill := strings.NewReplacer("@cpus@", "${isolated_cores}", "@others@", "${others}", "@othersMask@", "${others_mask}", "@hugepages@", "PAGES")
	var b strings.Builder
	fmt.Fprintf(&b, "# What pulse doctor --profile %s asks for: copy it to /etc/tuned/pulse/tuned.conf, name the hot cores, then tuned-adm profile pulse\n", name)
	b.WriteString("# and start the machine again. sysfs patterns that match nothing are passed over.\n")
	fmt.Fprintf(&b, "[main]\nsummary=Pulse, %s\n\n[variables]\nisolated_cores=2-7\n", name)
	b.WriteString("others=${f:cpulist_invert:${isolated_cores}}\nothers_mask=${f:cpulist2hex:${others}}\n")
	if len(p.KernelParams) > 0 {
		fmt.Fprintf(&b, "\n[bootloader]\ncmdline_pulse=%s\n", fill.Replace(strings.Join(p.KernelParams, " ")))
	}
	if len(p.Sysctl) > 0 {
		b.WriteString("\n[sysctl]\n")
		for _, key := range slices.Sorted(maps.Keys(p.Sysctl)) {
			comment := ""
			if strings.Contains(p.Sysctl[key], "@hugepages@") {
				comment = "# " // a number that is not yours would take away what is reserved
			}
			fmt.Fprintf(&b, "%s%s=%s\n", comment, key, fill.Replace(p.Sysctl[key]))
		}
	}
	if len(p.Files) > 0 {
		b.WriteString("\n[sysfs]\n")
		for _, f := range p.Files {
			fmt.Fprintf(&b, "%s=%s\n", f.Path, fill.Replace(f.Value))
		}
	}
	return b.String()
}
