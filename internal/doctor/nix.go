package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Tuned is what a host is configured with so that it passes, for each profile: the settings of the checks. In JSON, nix/tuned-host.json:
//
//	{
//	  "profiles": {
//	    "hft": {
//	      "kernelParams": ["nohz_full=@cpus@", …],                          words of the kernel's command line, in order
//	      "sysctl":       {"vm.swappiness": "1", …},                        names and values of sysctl(8)
//	      "files":        [{"path": "/sys/…/cpu*/…", "value": "…"}, …],      written at boot; a path may be a pattern, not all exist everywhere
//	      "service":      {"LimitMEMLOCK": "infinity", …}                   of the node's unit, by systemd's names
//	    },
//	    "balanced": {…},
//	    "cloud": {…}
//	  }
//	}
//
// Four words in values stand for what differs from host to host:
//
//	@cpus@        the hot cores as a list, such as 2-7
//	@others@      all other CPUs as a list
//	@othersMask@  all other CPUs as the kernel's hexadecimal mask, such as 3 for CPUs 0 and 1
//	@hugepages@   how many pages of 2 MiB the rings ask for
//
// What has no hot cores leaves out whatever holds one of the first three.
type Tuned struct {
	Profiles map[Profile]TunedProfile `json:"profiles"`
}

// TunedProfile is the configuration for one profile.
type TunedProfile struct {
	KernelParams []string          `json:"kernelParams"`
	Sysctl       map[string]string `json:"sysctl"`
	Files        []TunedFile       `json:"files"`
	Service      map[string]string `json:"service"`
}

// TunedFile is a file that is written at boot.
type TunedFile struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// TunedHost reads the configuration off the table of checks, so that what is set is what is asked.
func TunedHost() Tuned {
	t := Tuned{Profiles: map[Profile]TunedProfile{}}
	for _, p := range Profiles() {
		tuned := TunedProfile{KernelParams: []string{}, Sysctl: map[string]string{}, Files: []TunedFile{}, Service: map[string]string{}}
		for _, c := range table() {
			if c.asks.of(p) == "" {
				continue
			}
			for _, s := range c.settings {
				tuned.add(s, s.want.of(p))
			}
		}
		t.Profiles[p] = tuned
	}
	return t
}

// add puts a setting where it belongs; one that the profile does not want is left out.
func (t *TunedProfile) add(s setting, want string) {
	if want == "" {
		return
	}
	switch s.kind {
	case kernelParam:
		t.KernelParams = append(t.KernelParams, s.name+"="+want)
	case sysctl:
		t.Sysctl[s.name] = want
	case file:
		t.Files = append(t.Files, TunedFile{"/" + s.name, want})
	case rlimit:
		t.Service[s.name] = want
	}
}

// WriteJSON prints it as nix/tuned-host.json has it.
func (t Tuned) WriteJSON(w io.Writer) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(t); err != nil {
		return fmt.Errorf("doctor: tuned host: %w", err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
