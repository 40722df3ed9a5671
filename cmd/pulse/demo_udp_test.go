package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/ring"
)

// udpResult is what the demo's JSON object says of the network.
type udpResult struct {
	UDP *struct {
		Network   string
		Sealed    bool
		Loss      float64 `json:"loss_percent"`
		Datagrams uint64
		Arrived   uint64
		Again     uint64
		Naks      uint64
		Lost      uint64
		Dropped   map[string]uint64
		XDP       map[string]string
	}
}

func (p *pulse) udp() (r udpResult) {
	p.Helper()
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil || r.UDP == nil {
		p.Fatalf("%v: %q", err, p.out.String())
	}
	return r
}

// onNetwork prepares for a demo on that kind of network.
func onNetwork(t *testing.T, kind string) {
	t.Helper()
	if kind == "loopback" {
		t.Setenv("PATH", t.TempDir()) // without the ip command there are no namespaces
		return
	}
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("no nft command (package nftables)")
	}
}

var networks = []string{"namespaces", "loopback"}

func TestDemoOverUDPAccountsForEveryMessage(t *testing.T) {
	for _, kind := range networks {
		for _, c := range []struct {
			args   []string
			sealed bool
			loss   float64
		}{{nil, false, 0}, {[]string{"--sealed"}, true, 0}, {[]string{"--udp-loss", "5%"}, false, 5}, {[]string{"--udp-loss", "5", "--sealed"}, true, 5}} {
			t.Run(strings.TrimSpace(kind+" "+strings.Join(c.args, " ")), func(t *testing.T) {
				onNetwork(t, kind)
				dir := filepath.Join(t.TempDir(), "rings")
				p := start(t, append([]string{"demo", "--udp", "--for", "500ms", "--json", "--out", "", "--dir", dir}, c.args...)...)
				if code := p.end(); code != 0 {
					t.Fatalf("exit code %d\n%s", code, p.words())
				}
				r, u := p.result(), p.udp().UDP
				if h := r.Hops; r.Sent != r.Delivered || r.Gaps+r.Repeated+r.Reordered+r.Corrupt != 0 || len(h) != 2 || h[0].Sent == 0 || h[0].Sent != h[1].Sent ||
					h[0].Samples != h[0].Delivered || h[0].P50 <= 0 || r.End.Sent != r.End.Delivered || !r.Verified {
					t.Errorf("%+v", r)
				}
				if u.Network != kind || u.Sealed != c.sealed || u.Loss != c.loss || u.Datagrams == 0 || u.Arrived == 0 || u.Lost != 0 || u.Dropped == nil {
					t.Errorf("%+v", u)
				}
				if c.loss > 0 && (u.Naks == 0 || u.Again == 0) {
					t.Errorf("nothing was lost, it seems: %+v", u)
				}
				if said := strings.Contains(p.words(), "over loopback"); said != (kind == "loopback") {
					t.Errorf("%q", p.words())
				}
				if left, err := filepath.Glob(fmt.Sprintf("/run/netns/pulse-%d-*", p.cmd.Process.Pid)); err != nil || len(left) > 0 {
					t.Error(left, err)
				}
				if _, err := os.Stat(filepath.Join(dir, "secret")); !os.IsNotExist(err) {
					t.Errorf("the secret is left: %v", err)
				}
			})
		}
	}
}

// Each is killed as it starts and again in full flow, on its network; then an interrupt drains, and the counts hold.
func TestDemoOverUDPCarriesOnWhenOneIsKilled(t *testing.T) {
	for _, kind := range networks {
		for nth, name := range []string{"feed", "strategy", "sink"} {
			for _, more := range [][]string{nil, {"--sealed", "--udp-loss", "5%"}} {
				t.Run(strings.TrimSpace(kind+" "+name+" "+strings.Join(more, " ")), func(t *testing.T) {
					onNetwork(t, kind)
					dir := filepath.Join(t.TempDir(), "rings")
					p := start(t, append([]string{"demo", "--udp", "--for", "0", "--json", "--out", "", "--dir", dir}, more...)...)
					flow := func() {
						t.Helper()
						flowing(t, filepath.Join(dir, "feed", "trades", "feed.0.ring"))
						flowing(t, filepath.Join(dir, "strategy", "signals", "strategy.0.ring"))
					}
					for life := 1; life <= 2; life++ {
						eventually(t, fmt.Sprintf("%s lives for the %d. time", name, life), func() bool { return len(p.pids(name)) == life })
						if life > 1 {
							flow()
						}
						one, err := os.FindProcess(p.pids(name)[life-1])
						if err == nil {
							err = one.Kill()
						}
						if err != nil {
							t.Fatal(err)
						}
					}
					eventually(t, name+" lives again", func() bool { return len(p.pids(name)) == 3 })
					flow()
					p.signal(os.Interrupt)
					if code := p.end(); code != 0 {
						t.Fatalf("exit code %d\n%s", code, p.words())
					}
					r, u := p.result(), p.udp().UDP
					if r.Sent != r.Delivered || r.Gaps+r.Reordered+r.Corrupt != 0 || r.End.Sent != r.End.Delivered || !r.Verified || u.Lost != 0 {
						t.Errorf("%+v\n%+v", r, u)
					}
					for k, h := range r.Hops {
						if bound := uint64(256 * r.Processes[k+1].Restarts); h.Repeated > bound {
							t.Errorf("%s: %d repeated, at most %d", h.Name, h.Repeated, bound)
						}
					}
					if r.Processes[nth].Restarts != 2 {
						t.Errorf("%+v", r.Processes)
					}
				})
			}
		}
	}
}

func TestStagesRunByHandOverUDPInAnyOrder(t *testing.T) {
	const count = "5000"
	for k, order := range [][]string{{"feed", "strategy", "sink"}, {"sink", "strategy", "feed"}} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			dir := t.TempDir()
			secret := filepath.Join(dir, "secret")
			if code := start(t, "keygen", secret).end(); code != 0 {
				t.Fatalf("keygen: exit code %d", code)
			}
			at := fmt.Sprintf("localhost:%d", netlab.Port())
			there := filepath.Join(dir, "there")
			args := map[string][]string{
				"feed":     {"feed", "--dir", filepath.Join(dir, "here"), "--rate", "0", "--count", count, "--udp-to", at, "--secret", secret},
				"strategy": {"strategy", "--dir", there, "--udp-listen", at, "--secret", secret},
				"sink":     {"sink", "--dir", there},
			}
			if k > 0 { // without a secret it is the same
				args["feed"], args["strategy"] = args["feed"][:len(args["feed"])-2], args["strategy"][:len(args["strategy"])-2]
			}
			stages := map[string]*pulse{}
			for _, name := range order {
				stages[name] = start(t, args[name]...)
				working(t, args[name][2], name)
			}
			for _, name := range []string{"feed", "strategy", "sink"} { // the feed ends once all is confirmed
				s := stages[name]
				if name != "feed" {
					s.signal(os.Interrupt)
				}
				if code := s.end(); code != 0 {
					t.Fatalf("%s: exit code %d\n%s", name, code, s.words())
				}
				want := map[string]string{"feed": "sent " + count, "strategy": "delivered " + count + "  gaps 0", "sink": "delivered " + count + "  gaps 0"}[name]
				if !strings.Contains(s.out.String(), want) {
					t.Errorf("%s: %q", name, s.out.String())
				}
			}
		})
	}
}

// The feed is killed before anybody listens. Its successor carries what it left.
func TestWhatAKilledFeedSaidStillTravels(t *testing.T) {
	dir, at := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", netlab.Port())
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	path := filepath.Join(here, "trades", "feed.0.ring")
	first := start(t, "feed", "--dir", here, "--udp-to", at)
	flowing(t, path)
	first.signal(os.Kill)
	first.end()
	strategy := start(t, "strategy", "--dir", there, "--udp-listen", at)
	working(t, there, "strategy")
	sink := start(t, "sink", "--dir", there)
	if second := start(t, "feed", "--dir", here, "--udp-to", at, "--count", "10"); second.end() != 0 {
		t.Fatal(second.words())
	}
	r, err := ring.Attach(path, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader, err := r.Reader(ring.ReaderOptions{Mode: ring.Lossy})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	want := fmt.Sprintf("delivered %d  gaps 0  repeated 0", reader.Seq()-1)
	for _, s := range []*pulse{strategy, sink} {
		s.signal(os.Interrupt)
		if code := s.end(); code != 0 || !strings.Contains(s.out.String(), want) {
			t.Errorf("exit code %d, %q, want %q\n%s", code, s.out.String(), want, s.words())
		}
	}
}

// Trades that cannot be written into a mirror are no small matter: the strategy says so and ends.
func TestStrategyEndsWhenItsMirrorIsAnothers(t *testing.T) {
	dir := t.TempDir()
	here, there := filepath.Join(dir, "here"), filepath.Join(dir, "there")
	to := []string{fmt.Sprintf("127.0.0.1:%d", netlab.Port()), fmt.Sprintf("127.0.0.1:%d", netlab.Port())}
	start(t, "strategy", "--dir", there, "--udp-listen", to[0])
	if feed := start(t, "feed", "--dir", here, "--udp-to", to[0], "--count", "10"); feed.end() != 0 {
		t.Fatal(feed.words())
	}
	other := start(t, "strategy", "--dir", there, "--name", "other", "--udp-listen", to[1])
	start(t, "feed", "--dir", here, "--udp-to", to[1], "--count", "10")
	if code := other.end(); code != exitRuntime || !strings.Contains(other.words(), "owned by a living process") {
		t.Errorf("exit code %d\n%s", code, other.words())
	}
}

func TestDemoOverUDPRefusesBadUsage(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte(strings.Repeat("0", 64)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"demo", "--sealed"}, {"demo", "--udp-loss", "5%"}, {"demo", "--udp", "--udp-loss", "much"}, {"demo", "--udp", "--udp-loss", "100%"},
		{"demo", "--udp", "--udp-loss", "-1"}, {"demo", "--udp", "--udp-loss", "NaN"},
		{"feed", "--dir", "x", "--udp-to", "nowhere"}, {"feed", "--dir", "x", "--udp-to", "127.0.0.1:0"}, {"feed", "--dir", "x", "--secret", "s"},
		{"strategy", "--dir", "x", "--udp-listen", "127.0.0.1:99999"}, {"strategy", "--dir", "x", "--secret", "s"},
		{"strategy", "--dir", "x", "--udp-listen", "127.0.0.1:7400", "--secret", open},
	} {
		p := start(t, args...)
		if code := p.end(); code != exitUsage || p.words() == "" {
			t.Errorf("%v: exit code %d, %q", args, code, p.words())
		}
	}
}
