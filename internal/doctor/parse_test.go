package doctor

import (
	"slices"
	"testing"
)

func TestParamCPUs(t *testing.T) {
	for text, want := range map[string][]int{
		"2-3": {2, 3}, "managed_irq,domain,2": {2}, "all": {0, 1, 2, 3, 4, 5, 6, 7}, "6-N": {6, 7}, "0-7:1/4": {0, 4}, "0-7:2/4": {0, 1, 4, 5}, "": nil,
	} {
		if got, err := parseParamCPUs(text, 7); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"x", "3-2", "0-3:0/4", "0-3:5/4", "8192", "-1", "0-3:1", "1-2-3"} {
		if got, err := parseParamCPUs(text, 7); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestMasks(t *testing.T) {
	got, err := parseMask("00000001,80000003\n")
	if err != nil || !slices.Equal(got, []int{0, 1, 31, 32}) {
		t.Errorf("%v, %v", got, err)
	}
	if m := formatMask([]int{0, 1, 31, 32}); m != "1,80000003" {
		t.Errorf("written as %s", m)
	}
}

func TestCmdlineKeepsQuotesAndStopsBeforeInit(t *testing.T) {
	got := parseCmdline("quiet dyndbg=\"file a.c +p\" isolcpus=2-3 -- nohz_full=1\n")
	want := []param{{"quiet", ""}, {"dyndbg", "file a.c +p"}, {"isolcpus", "2-3"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTaskNamesMayHoldAnything(t *testing.T) {
	task, ok := parseTask("7 (a ) R b) R 1 7 7 0 -1 64 0 0 0 0 5 6 0 0 20 0 1 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 3 0 0 0 0")
	if !ok || task.name != "a ) R b" || !task.running || task.ticks != 11 || task.cpu != 3 {
		t.Errorf("%+v, %v", task, ok)
	}
}

func FuzzParamCPUs(f *testing.F) {
	f.Add("managed_irq,domain,2-N:1/2")
	f.Add("0-8191")
	f.Fuzz(func(t *testing.T, text string) {
		cpus, err := parseParamCPUs(text, 63)
		if err != nil {
			return
		}
		again, err := parseParamCPUs(cpusOrNothing(cpus), 63)
		if err != nil || !slices.Equal(again, cpus) {
			t.Fatalf("%q is %v, and that is %v, %v", text, cpus, again, err)
		}
	})
}

func cpusOrNothing(cpus []int) string {
	if len(cpus) == 0 {
		return ""
	}
	return cpusText(cpus)
}

func FuzzMask(f *testing.F) {
	f.Add("ff")
	f.Add("1,00000000,80000003")
	f.Fuzz(func(t *testing.T, text string) {
		cpus, err := parseMask(text)
		if err != nil {
			return
		}
		again, err := parseMask(formatMask(cpus))
		if err != nil || !slices.Equal(again, cpus) {
			t.Fatalf("%q is %v, and that is %v, %v", text, cpus, again, err)
		}
	})
}

func FuzzCmdline(f *testing.F) {
	f.Add("quiet isolcpus=2-3 a=\"b c\" --")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range parseCmdline(text) {
			if p.name == "--" {
				t.Fatalf("%q: init's part is in it", text)
			}
		}
	})
}

// FuzzCounters: no text of a counter file brings a look down, and what is taken has sums that do not shrink.
func FuzzCounters(f *testing.F) {
	f.Add("Udp: InErrors RcvbufErrors\nUdp: 1 2\n")
	f.Add("0001f2a4 00000007 00000002\n0001f2a4 00000000 00000002\n")
	f.Add("      CPU0 CPU1\n 34: 1 2 IO-APIC eth0\n")
	f.Add("tmpfs /dev/shm\\040x tmpfs rw,size=64k 0 0\n")
	f.Add("Max open files            1024                 4096                 files\n")
	f.Add("7 (a ) R b) R 1 7 7 0 -1 64 0 0 0 0 5 6 0 0 20 0 1 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 3 0 0 0 0")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseSNMP(text)
		if irqs, err := parseInterrupts(text); err == nil {
			for _, irq := range irqs {
				if irq.number < 0 {
					t.Fatalf("%q: IRQ %d", text, irq.number)
				}
			}
		}
		for _, m := range parseMounts(text) {
			_, _ = sizeOption(m)
			_ = mountOf([]mount{m}, "/var/lib/pulse")
		}
		_ = parseLimits(text)
		_, _ = parseTask(text)
		_, _, _ = parseVersion(text)
		one, err := parseSoftnet(text)
		if err != nil {
			return
		}
		twice, err := parseSoftnet(text + "\n" + text)
		if err != nil || twice.dropped != 2*one.dropped || twice.squeezed != 2*one.squeezed {
			t.Fatalf("%q: %v, twice %v, %v", text, one, twice, err)
		}
	})
}
