package doctor

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Templates in the values of settings.
const (
	onCPUs       = "@cpus@"       // the hot cores, as a list
	onOthers     = "@others@"     // all other CPUs, as a list
	onOthersMask = "@othersMask@" // all other CPUs, as the kernel's hexadecimal mask
	onHugePages  = "@hugepages@"  // how many pages of 2 MiB the rings ask for
)

// kind is where a setting is made.
type kind uint8

const (
	sysctl      kind = iota // name such as vm.swappiness
	file                    // path or pattern below the root, written at boot
	kernelParam             // of the kernel's command line
	rlimit                  // of the process, by systemd's name such as LimitNOFILE
)

// comparison is how a value is held against what is wanted.
type comparison uint8

const (
	equal comparison = iota
	atLeast
	atMost
)

// String is what stands before the value in words.
func (c comparison) String() string { return [...]string{"", "≥ ", "≤ "}[c] }

// setting is one thing of a host that a check reads, and that whoever configures the host sets.
type setting struct {
	kind kind
	name string
	want by
	how  comparison
	also []string // values that do as well
}

// path is where the value is read, below the root.
func (s setting) path() string {
	if s.kind == sysctl {
		return "proc/sys/" + strings.ReplaceAll(s.name, ".", "/")
	}
	return s.name
}

// short names the setting in a line.
func (s setting) short() string {
	if s.kind != file {
		return s.name
	}
	return path.Base(path.Dir(s.name)) + "/" + path.Base(s.name)
}

// fits says whether a value is as wanted.
func (s setting) fits(value, want string) bool {
	if slices.Contains(s.also, value) {
		return true
	}
	if s.how == equal {
		return value == want
	}
	is, err1 := strconv.ParseInt(value, 10, 64)
	bound, err2 := strconv.ParseInt(want, 10, 64)
	return err1 == nil && err2 == nil && (s.how == atLeast && is >= bound || s.how == atMost && is <= bound)
}

// mend adds what makes the setting so.
func (s setting) mend(h *host, m *remedy) {
	template := s.want.of(h.profile)
	want := h.fill(template)
	switch {
	case want == "":
		return
	case (template == onOthers || template == onOthersMask) && len(h.others()) == 0:
		m.advice = "leave a core that is not hot to the rest of the host"
		return
	}
	switch s.kind {
	case sysctl:
		if h.has(s.path()) {
			m.commands = append(m.commands, fmt.Sprintf("sysctl -w %s=%s", s.name, want))
		}
	case file:
		if strings.Contains(s.name, "*") {
			m.commands = append(m.commands, fmt.Sprintf(`for f in /%s; do echo %s > "$f"; done`, s.name, want))
		} else if h.has(s.path()) {
			m.commands = append(m.commands, fmt.Sprintf("echo %s > /%s", want, s.name))
		}
	case kernelParam:
		m.params = append(m.params, s.name+"="+want)
	}
}

// compare judges settings by what their files say.
func (h *host) compare(settings []setting) finding {
	var is, absent []string
	wrong := false
	for _, s := range settings {
		want := h.fill(s.want.of(h.profile))
		if want == "" || s.kind == kernelParam || s.kind == rlimit {
			continue
		}
		values := h.values(s)
		if len(values) == 0 {
			absent = append(absent, s.short())
			continue
		}
		for _, v := range values {
			wrong = wrong || !s.fits(v, want)
		}
		is = append(is, s.short()+" "+strings.Join(values, " and "))
	}
	if len(is) == 0 {
		return skip("there is no %s: %s", strings.Join(absent, ", "), h.whyAbsent())
	}
	if wrong {
		return found(bad, "%s", strings.Join(is, ", "))
	}
	return found(good, "%s", strings.Join(is, ", "))
}

// values are the different values that a setting's files have.
func (h *host) values(s setting) (values []string) {
	paths := []string{s.path()}
	if strings.Contains(s.name, "*") {
		paths, _ = fs.Glob(h.root, s.path()) // the patterns are the table's own and valid
	}
	for _, p := range paths {
		if text, ok := h.text(p); ok && text != "" {
			if v := selected(text); !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
	}
	return values
}
