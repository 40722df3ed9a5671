package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/xdp"
)

const warning = "with a socket, not by AF_XDP: "

// accounted checks that a demo over UDP lost nothing.
func (p *pulse) accounted() {
	p.Helper()
	if code := p.end(); code != 0 {
		p.Fatalf("exit code %d\n%s", code, p.words())
	}
	if r, u := p.result(), p.udp().UDP; r.Sent == 0 || r.Sent != r.Delivered || r.Gaps+r.Repeated+r.Reordered+r.Corrupt != 0 || !r.Verified || u.Lost != 0 {
		p.Errorf("%+v\n%+v", r, u)
	}
}

// Past the kernel where that can be, with sockets and one warning of each end where it cannot, the demo's counts hold.
func TestDemoPastTheKernelAccountsForEveryMessage(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	for _, kind := range networks {
		for _, sealed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sealed %t", kind, sealed), func(t *testing.T) {
				onNetwork(t, kind)
				args := []string{"demo", "--udp", "--xdp", "--for", "500ms", "--json", "--out", "", "--dir", filepath.Join(t.TempDir(), "rings")}
				if sealed {
					args = append(args, "--sealed")
				}
				p := start(t, args...)
				p.accounted()
				for _, end := range []string{"feed", "strategy"} {
					want := warning
					if kind == "namespaces" {
						want = "AF_XDP on " + netlab.Device + ": native, copy, 1 queue"
					}
					if said := p.udp().UDP.XDP[end]; !strings.HasPrefix(said, want) {
						t.Errorf("the report says that %s goes %q", end, said)
					}
					past, without := strings.Count(p.words(), end+": AF_XDP on "), strings.Count(p.words(), end+": "+warning)
					if kind == "loopback" && (past != 0 || without != 1) || kind == "namespaces" && (past != 1 || without != 0) {
						t.Errorf("%s: %d and %d times in\n%s", end, past, without, p.words())
					}
				}
			})
		}
	}
}

// Feed and strategy on a host each, told to go past the kernel, do so or say in one line why not, and everything arrives.
func TestStagesGoPastTheKernelOrSayWhyNot(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	for _, word := range []string{"setpriv", "prlimit"} {
		if _, err := exec.LookPath(word); err != nil {
			t.Skipf("no %s command (package util-linux)", word)
		}
	}
	const count = "5000"
	for name, c := range map[string]struct {
		words   []string // in front of the program
		foreign bool     // somebody's program is on both interfaces
		near    string   // of the feed, in place of the interface
		want    string   // in the one line of each; "": it goes past the kernel
	}{
		"all is there":     {},
		"foreign program":  {foreign: true, want: "another XDP program is attached: program "},
		"no CAP_BPF":       {words: []string{"setpriv", "--bounding-set=-bpf,-sys_admin"}, want: "not permitted: it takes CAP_BPF to load the program"},
		"no CAP_NET_RAW":   {words: []string{"setpriv", "--bounding-set=-net_raw"}, want: "not permitted: it takes CAP_NET_RAW for the sockets"},
		"no CAP_NET_ADMIN": {words: []string{"setpriv", "--bounding-set=-net_admin,-sys_admin"}, want: "not permitted: it takes CAP_NET_ADMIN to attach the program"},
		"no rights":        {words: []string{"setpriv", "--bounding-set=-all"}, want: "not permitted: it takes CAP_NET_RAW"},
		"memlock":          {words: []string{"prlimit", "--memlock=65536", "setpriv", "--bounding-set=-ipc_lock"}, want: "over RLIMIT_MEMLOCK: "},
		"no such queue":    {near: ":7", want: "queue 7 of 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			lab, err := netlab.New("a", "b")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := lab.Close(); err != nil {
					t.Error(err)
				}
			}()
			if c.foreign {
				for _, host := range []string{"a", "b"} {
					if err := lab.In(host, func() error {
						d, err := xdp.Open(xdp.Options{Interface: netlab.Device, Ports: []uint16{9}})
						if err == nil {
							t.Cleanup(func() { _ = d.Close() })
						}
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			dir, at := t.TempDir(), lab.Addr("b").String()+":7400"
			stage := func(host string, args ...string) *pulse {
				t.Helper()
				exe, err := os.Executable()
				if err != nil {
					t.Fatal(err)
				}
				words := append(append([]string{}, c.words...), exe)
				return startAs(t, lab.Command(t.Context(), host, words[0], append(words[1:], args...)...))
			}
			here, there, on := filepath.Join(dir, "here"), filepath.Join(dir, "there"), netlab.Device+c.near
			strategy := stage("b", "strategy", "--dir", there, "--udp-listen", at, "--xdp", on)
			sink := stage("b", "sink", "--dir", there)
			working(t, there, "strategy")
			working(t, there, "sink")
			feed := stage("a", "feed", "--dir", here, "--rate", "0", "--count", count, "--udp-to", at, "--xdp", on)
			for _, s := range []*pulse{feed, strategy, sink} {
				if s != feed {
					s.signal(os.Interrupt)
				}
				if code := s.end(); code != 0 {
					t.Fatalf("exit code %d\n%s", code, s.words())
				}
				if s == sink {
					break
				}
				line := "note: AF_XDP on " + netlab.Device + ": native, copy, 1 queue"
				if c.want != "" {
					line = "note: " + warning + "xdp: open " + netlab.Device + ": "
				}
				if words := s.words(); !strings.HasPrefix(words, line) || !strings.Contains(words, c.want) || strings.Contains(words, "\n") {
					t.Errorf("says %q", words)
				}
			}
			if want := "delivered " + count + "  gaps 0"; !strings.Contains(sink.out.String(), want) {
				t.Errorf("%q", sink.out.String())
			}
		})
	}
}

// What goes past the kernel by the wrong interface would get nowhere.
func TestFeedSaysWhenThePeerIsElsewhere(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	lab, err := netlab.New("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	}()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, at := t.TempDir(), lab.Addr("a").String()+":7400" // its own host's
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	strategy := startAs(t, lab.Command(t.Context(), "a", exe, "strategy", "--dir", there, "--udp-listen", at))
	working(t, there, "strategy")
	feed := startAs(t, lab.Command(t.Context(), "a", exe, "feed", "--dir", here, "--rate", "0", "--count", "100", "--udp-to", at, "--xdp", netlab.Device))
	if code := feed.end(); code != 0 || strings.Count(feed.words(), warning) != 1 || !strings.Contains(feed.words(), lab.Addr("a").String()+" by way of "+netlab.Device) {
		t.Errorf("exit code %d: %q", code, feed.words())
	}
	strategy.signal(os.Interrupt)
	if code := strategy.end(); code != 0 {
		t.Errorf("exit code %d: %q", code, strategy.words())
	}
}
