package sys

import (
	"bufio"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestFastAESIsWhatTheKernelSays(t *testing.T) {
	needs, named := map[string][]string{
		"amd64": {"aes", "pclmulqdq", "sse4_1", "ssse3"},
		"arm64": {"aes", "pmull"},
	}[runtime.GOARCH]
	if !named {
		t.Skip("no flags are known of " + runtime.GOARCH)
	}
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, flags, _ := strings.Cut(lines.Text(), ":")
		if name = strings.TrimSpace(name); name != "flags" && name != "Features" {
			continue
		}
		has, want := strings.Fields(flags), true
		for _, n := range needs {
			want = want && slices.Contains(has, n)
		}
		if got := FastAES(); got != want {
			t.Errorf("%v, and the kernel says %v of %v", got, want, needs)
		}
		return
	}
	t.Fatal("no CPU's flags in /proc/cpuinfo: ", lines.Err())
}
