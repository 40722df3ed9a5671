package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/alphapulse/transport/numa"
)

// ErrOptions says that a look was asked for that cannot be; the text lists all faults.
var ErrOptions = errors.New("doctor: options")

// Options say what to look at. The zero Options look at this host for the balanced profile.
type Options struct {
	Root    string  // a directory laid out like a root; empty: "/", this host
	Profile Profile // empty: Balanced, which asks only what costs other work on the host nothing
	Use     Use
	Quick   bool // do not wait a second for counters to move, and dial nobody
}

var (
	interfaceName = regexp.MustCompile(`^[A-Za-z0-9_.:@-]{1,15}$`)
	pathEscapes   = []string{".", ".."}
)

func (o *Options) check() error {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Profile == "" {
		o.Profile = Balanced
	}
	var faults []error
	if !slices.Contains(Profiles(), o.Profile) {
		faults = append(faults, fmt.Errorf("profile %q is not hft, balanced or cloud", o.Profile))
	}
	for _, i := range o.Use.Interfaces {
		if !interfaceName.MatchString(i.Name) || slices.Contains(pathEscapes, i.Name) {
			faults = append(faults, fmt.Errorf("%q is no name of an interface", i.Name))
		}
	}
	for _, cpu := range o.Use.Cores {
		if cpu < 0 || cpu >= maxCPUs {
			faults = append(faults, fmt.Errorf("core %d is not 0 to %d", cpu, maxCPUs-1))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrOptions, errors.Join(faults...))
	}
	return nil
}

// asks is how much a fault weighs in each profile: Warn, Fail, or empty where it is not asked.
type asks struct{ hft, balanced, cloud Status }

// by is a value for each profile; empty where it is not asked.
type by struct{ hft, balanced, cloud string }

func (a asks) of(p Profile) Status {
	return Status(by{string(a.hft), string(a.balanced), string(a.cloud)}.of(p))
}

func (b by) of(p Profile) string {
	switch p {
	case HFT:
		return b.hft
	case Balanced:
		return b.balanced
	}
	return b.cloud
}

func each(value string) by { return by{value, value, value} }

// check is one row of the table.
type check struct {
	id, title string
	reads     string // where the truth is
	why       string // it matters, in one sentence
	asks      asks
	wanted    by        // in words; where it is empty the settings say it
	settings  []setting // what sets it
	advice    string    // what mends it and no setting does
	reboot    bool
	judge     func(*host) finding // nil: compare the settings
}

// table lists all checks in the order of reports.
func table() []check {
	return slices.Concat(coreChecks(), powerChecks(), memoryChecks(), kernelChecks(), networkChecks(), deviceChecks(), limitChecks(), noiseChecks(), durableChecks())
}

// grade is how a host does in a check, before the profile weighs it.
type grade uint8

const (
	good    grade = iota
	poor          // a warning in every profile that asks
	bad           // as the profile says
	unknown       // cannot be told
)

// finding is what a judge says.
type finding struct {
	grade   grade
	current string
	reason  string // of unknown
	wanted  string // instead of the row's
	remedy  remedy // instead of the row's
}

func found(g grade, format string, args ...any) finding {
	return finding{grade: g, current: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) finding {
	return finding{grade: unknown, reason: fmt.Sprintf(format, args...)}
}

// mend adds commands that mend it.
func (f finding) mend(commands ...string) finding {
	f.remedy.commands = append(f.remedy.commands, commands...)
	return f
}

// tell adds what a person can do.
func (f finding) tell(format string, args ...any) finding {
	f.remedy.advice = fmt.Sprintf(format, args...)
	return f
}

// want replaces what the row wants.
func (f finding) want(format string, args ...any) finding {
	f.wanted = fmt.Sprintf(format, args...)
	return f
}

// Check looks at a host. The error is ErrOptions, or says that there is no host to look at or that ctx ended.
func Check(ctx context.Context, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, err
	}
	h, err := open(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer h.close()
	r := Report{Profile: o.Profile}
	for _, c := range table() {
		r.Checks = append(r.Checks, h.check(c))
	}
	if ctx.Err() != nil {
		return Report{}, context.Cause(ctx)
	}
	r.Verdict = r.verdict()
	return r, nil
}

// check makes one check.
func (h *host) check(c check) Result {
	r := Result{ID: c.id, Why: c.why, Wanted: h.wanted(c), title: c.title, reads: c.reads}
	weight := c.asks.of(h.profile)
	if weight == "" {
		r.Status, r.Wanted, r.Why = Skip, "", fmt.Sprintf("the profile %s does not ask for it", h.profile)
		return r
	}
	var f finding
	if c.judge != nil {
		f = c.judge(h)
	} else {
		f = h.compare(c.settings)
	}
	r.Current = clean(f.current)
	if f.wanted != "" {
		r.Wanted = f.wanted
	}
	switch f.grade {
	case good:
		r.Status = Pass
		return r
	case unknown:
		r.Status, r.Why = Skip, clean(f.reason)
		return r
	case poor:
		r.Status = Warn
	case bad:
		r.Status = weight
	}
	r.remedy = h.remedy(c, f)
	r.Fix, r.Reboot = r.remedy.String(), c.reboot && len(f.remedy.commands) == 0 && f.remedy.advice == ""
	return r
}

// remedy is what the judge found to mend it, else what the row has.
func (h *host) remedy(c check, f finding) remedy {
	m := f.remedy
	if len(m.commands) == 0 && m.advice == "" {
		m.advice = c.advice
		for _, s := range c.settings {
			s.mend(h, &m)
		}
	}
	if h.container != "" && (len(m.commands) > 0 || len(m.params) > 0) {
		m.advice = strings.TrimPrefix(m.advice+"; on the host of the container", "; ")
	}
	return m
}

// wanted is what the row wants, in words.
func (h *host) wanted(c check) string {
	if w := c.wanted.of(h.profile); w != "" {
		return h.fill(w)
	}
	var parts []string
	for _, s := range c.settings {
		if w := s.want.of(h.profile); w != "" && s.kind != kernelParam {
			parts = append(parts, s.short()+" "+s.how.String()+h.fill(w))
		}
	}
	return strings.Join(parts, ", ")
}

// clean makes text from files and other processes fit for a terminal: one line, printable, bounded.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	const most = 400
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// fill replaces the words between @ of a template; where no cores are hot by words for a reader.
func (h *host) fill(template string) string {
	hot, rest, mask := "CORES", "OTHERS", "MASK"
	if others := h.others(); len(others) > 0 {
		rest, mask = cpusText(others), formatMask(others)
	}
	if len(h.hot) > 0 {
		hot = cpusText(h.hot)
	}
	return strings.NewReplacer(onCPUs, hot, onOthers, rest, onOthersMask, mask, onHugePages, fmt.Sprint(h.hugePages())).Replace(template)
}

// others are the online CPUs beside the hot ones; none where nothing is hot.
func (h *host) others() []int {
	if len(h.hot) == 0 {
		return nil
	}
	return without(h.online(), h.hot)
}

// hugePages is how many pages of 2 MiB the rings ask for.
func (h *host) hugePages() uint64 { return (h.use.HugeBytes + hugePage - 1) / hugePage }

func (h *host) online() (cpus []int) {
	if h.machine == nil {
		return nil
	}
	for _, c := range h.machine.Processors {
		if c.Online {
			cpus = append(cpus, c.ID)
		}
	}
	return cpus
}

// processor is a CPU of the machine.
func (h *host) processor(id int) (numa.CPU, bool) {
	if h.machine == nil {
		return numa.CPU{}, false
	}
	return h.machine.CPU(id)
}
