// The house rules of the module, each with its reason. A rule reads the tree as it lies on disk; tidy_rules_test.go
// says how, tidy_self_test.go shows each rule a violation so that none of them can hold by being blind.
package transport_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/alphapulse/transport"

// floors gives each package, with what lies below it, its height. An import must lead to a lower floor.
var floors = []struct {
	path  string // relative to the module; "" is the root
	floor int
	why   string
}{
	{"internal/sys", 0, "the only package that speaks to the kernel and the CPU"},
	{"internal/check", 0, "invariants; a leaf so that anything may assert"},
	{"internal/narhash", 0, "the hash of the vendored tree; a leaf"},
	{"internal/brokers", 1, "real brokers, for tests and measurements of queues; knows no client"},
	{"internal/simnet", 0, "a network gone bad, for tests of anything; a leaf"},
	{"internal/netlab", 1, "networks of namespaces, made through internal/sys"},
	{"internal/tally", 1, "numbers in mapped memory, for whoever counts"},
	{"ring", 1, "bytes in mapped memory; knows no frame"},
	{"numa", 1, "cores, nodes, loops"},
	{"seal/pack", 0, "compressors, met by the codec only"},
	{"seal", 1, "frames and envelopes; knows no ring"},
	{"tlv", 1, "protocol_v2; a leaf"},
	{"internal/spans", 2, "what traced frames went through, in rings; knows no node"},
	{"internal/trades", 2, "captured trades as protocol_v2 messages"},
	{"netio", 2, "what socket workers share"},
	{"netio/link", 2, "the conversation that tcp and quic carry; no I/O"},
	{"netio/trust", 2, "who a node is and whom it believes; the standard library only"},
	{"netio/control", 4, "what two nodes agree on before frames flow; over the media, for its tests run them"},
	{"netio/udp", 3, "a medium"},
	{"netio/tcp", 3, "a medium"},
	{"netio/quic", 3, "a medium"},
	{"netio/express", 4, "a medium made of two: udp's ends over xdp's, which know nothing of each other"},
	{"xdp/packet", 2, "the bytes of an Ethernet frame and the way it goes; knows no ring of a device"},
	{"xdp", 3, "a medium"},
	{"mqadapt", 3, "the contract of durable queues and the workers any of them runs with"},
	{"mqadapt/queuetest", 4, "what every queue is held to; knows none of them"},
	{"mqadapt/rabbitmq", 6, "a queue; its dead letters lie in a journal"},
	{"mqadapt/kafka", 6, "a queue; its dead letters lie in a journal"},
	{"mqadapt/redis", 6, "a queue; its dead letters lie in a journal"},
	{"mqadapt/journal", 5, "a queue, the embedded one"},
	{"route/topo", 2, "the topology, before any link"},
	{"route/discover", 2, "who is there"},
	{"route/watch", 2, "counters and health"},
	{"route", 3, "plans, links, failover"},
	{"route/watch/prom", 4, "metrics client; a leaf of the program"},
	{"route/watch/otel", 4, "traces client; a leaf of the program"},
	{"internal/doctor", 5, "what a host is like; knows plans and what AF_XDP asks"},
	{"", 7, "the front door: Node, Publisher, Subscriber"},
	{"bench", 8, "measures everything below"},
	{"examples", 8, "things to copy from"},
	{"internal", 8, "what only the program and the tests use"},
	{"internal/view", 8, "what stats files say, for whoever draws it"},
	{"internal/web", 9, "the dashboard; embedded"},
	{"internal/console", 9, "a node in a terminal; draws what stats files say"},
	{"internal/demo", 9, "three processes, reported with bench"},
	{"cmd", 10, "the program names all"},
}

// hotWing must build and be audited alone: these packages reach no other third-party module, directly or through the module.
var hotWing = map[string][]string{
	"ring":        {"golang.org/x/sys"},
	"numa":        {"golang.org/x/sys"},
	"seal":        {"golang.org/x/sys", "golang.org/x/crypto"},
	"netio":       {"golang.org/x/sys", "golang.org/x/crypto"},
	"netio/trust": {},
	"netio/udp":   {"golang.org/x/sys", "golang.org/x/crypto"},
	"xdp":         {"golang.org/x/sys", "golang.org/x/crypto", "github.com/cilium/ebpf"},
	"xdp/packet":  {"golang.org/x/sys"},
	"tlv":         {},
}

// apart lists what must not reach what, directly or through the module. A path ending in a dot is a third-party prefix.
var apart = []struct{ from, to, why string }{
	{"ring", "seal", "ring knows bytes, not frames"},
	{"seal", "ring", "seal knows frames, not rings"},
	{"netio", "route", "media are told, they do not ask"},
	{"xdp", "route", "media are told, they do not ask"},
	{"mqadapt", "route", "media are told, they do not ask"},
	{"route", "netio", "route is tested with fakes"},
	{"route", "xdp", "route is tested with fakes"},
	{"route", "mqadapt", "route is tested with fakes"},
	{"", "mqadapt", "an engine links only the media it names"},
	{"", "netio/quic", "an engine links only the media it names"},
	{"", "route/watch/prom", "only the program links metrics clients"},
	{"", "route/watch/otel", "only the program links trace clients"},
	{"", "github.com/prometheus", "only the program links metrics clients"},
	{"", "go.opentelemetry.io", "only the program links trace clients"},
	{"", "github.com/spf13", "the command line belongs to the program"},
}

// excused from the cellar: tests that need from the kernel what no program should be able to call.
var excused = map[string]string{
	"ring/crash_linux_test.go":     "its children die with it, and one lives in a pid namespace of its own",
	"netio/udp/clock_jump_test.go": "sets the wall clock of an instant and leaves its monotonic reading, which only the kernel does",
	"numa/memory_linux_test.go":    "takes a capability and a limit from its own thread, to be refused like anybody else",
}

// rules is what TestTidy holds the tree to.
var rules = []rule{
	{"imports look down", "a cycle of ideas comes before a cycle of packages", importsLookDown},
	{"the hot wing stands alone", "it must build and be audited without anybody else's code", hotWingStandsAlone},
	{"wings stay apart", "each edge that is forbidden has its reason in the table", wingsStayApart},
	{"one cellar", "unsafe, syscalls, build tags and assembly live in internal/sys, where they are looked for", oneCellar},
	{"hot files stay cold-blooded", "no logging, formatting or wall clock where a message passes", hotFilesStayPlain},
	{"names say something", "a package called after nothing collects everything", namesSaySomething},
	{"files hold one idea", "past 600 lines a file holds two ideas; a page of docs past 200 is not read", filesHoldOneIdea},
	{"packages introduce themselves", "the package comment is where a reader starts", packagesIntroduceThemselves},
	{"exported names are documented", "an exported name is a promise; the comment is its text", exportedNamesAreDocumented},
	{"exported types have examples", "the first use is copied from an Example that runs", exportedTypesHaveExamples},
	{"nothing is left for later", "what is written down as missing stays missing; paths of one machine mean nothing on another", nothingLeftForLater},
	{"docs tell the truth", "a test, a page, a target or a script that docs name must exist", docsTellTheTruth},
}

func TestTidy(t *testing.T) {
	tr := readTree(t, ".")
	for file := range excused {
		if !slices.ContainsFunc(tr.files, func(s *source) bool { return s.path == file }) {
			t.Errorf("%s is excused and does not exist", file)
		}
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, found := range r.find(tr) {
				t.Error(found)
			}
			if t.Failed() {
				t.Logf("because %s", r.why)
			}
		})
	}
}

func TestModuleFilesAreTidy(t *testing.T) {
	for _, dir := range []string{".", "tools"} {
		if diff := tidyDiff(t, dir); diff != "" {
			t.Errorf("%s: go.mod or go.sum is not what the imports say (make tidy):\n%s", dir, diff)
		}
	}
}

// tidyDiff is what "go mod tidy" would change in dir.
func tidyDiff(t *testing.T, dir string) string {
	t.Helper()
	var faults strings.Builder
	cmd := exec.Command("go", "mod", "tidy", "-diff")
	cmd.Dir, cmd.Stderr = dir, &faults
	diff, err := cmd.Output()
	if err != nil && len(diff) == 0 {
		t.Fatalf("go mod tidy: %v\n%s", err, faults.String())
	}
	return strings.TrimSpace(string(diff))
}
