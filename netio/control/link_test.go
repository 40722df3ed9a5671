package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/seal"
)

// print is a secret as text: secrets themselves do not print, but they are written to files.
func print(t testing.TB, s seal.Secret, err error) string {
	t.Helper()
	must(t, err)
	path := filepath.Join(t.TempDir(), "secret")
	must(t, s.Write(path))
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// secrets of a link, in the order: Out and In of each channel.
func secrets(t testing.TB, l *Link, channels ...string) (all []string) {
	t.Helper()
	for _, c := range channels {
		for _, d := range []Direction{Out, In} {
			s, err := l.Secret(c, d)
			all = append(all, print(t, s, err))
		}
	}
	return all
}

func both(names ...string) (all []link.Contract) {
	for _, n := range names {
		all = append(all, link.Contract{Name: n, Sends: true, Takes: true, Largest: 1000})
	}
	return all
}

// TestBothEndsHaveTheSameSecrets, a different one for each channel and direction, and keep them when the connection breaks; a node that
// starts again has new ones.
func TestBothEndsHaveTheSameSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x", "y"), both("y", "x", "z"), nil)
		if e := p.bd.one(t, Connected); !e.Fresh || e.Peer != "a" {
			t.Errorf("%+v", e)
		}
		if e := p.ad.one(t, Connected); !e.Fresh || e.Peer != "b" {
			t.Errorf("%+v", e)
		}
		compare := func() []string {
			t.Helper()
			there, here := secrets(t, p.at, "x", "y"), secrets(t, p.link, "x", "y")
			turned := []string{here[1], here[0], here[3], here[2]}
			if !slices.Equal(there, turned) {
				t.Fatal("the ends have different secrets")
			}
			if slices.Sort(turned); len(slices.Compact(turned)) != 4 {
				t.Fatal("a channel or direction shares its secret")
			}
			return here
		}
		first := compare()
		if _, err := p.link.Secret("z", Out); !errors.Is(err, ErrSecret) {
			t.Error("a secret of a channel that only one has:", err)
		}
		if c := p.link.Channels(); !slices.Equal(c, []string{"x", "y"}) {
			t.Error(c)
		}

		must(t, p.square.last().Close())
		pass(time.Second)
		if e := p.bd.one(t, Connected); e.Fresh {
			t.Error("secrets are new because a connection broke")
		}
		if !slices.Equal(first, compare()) {
			t.Error("secrets changed and nobody was told")
		}

		must(t, p.link.Close())
		p.link = p.town.dialTo(t, "a", "a:1", p.bo)
		pass(time.Second)
		if e := p.bd.one(t, Connected); !e.Fresh {
			t.Error("a node that starts again has the secrets of before")
		}
		if again := compare(); slices.Equal(first, again) {
			t.Error("secrets outlive a process")
		}
		if s := p.at.Stats(); s.Connects != 3 || s.Peer != "b" || !s.Connected {
			t.Errorf("%+v", s)
		}
	})
}

// TestAChannelIsRefusedByTheNameOfItsField on both sides, and the others go on.
func TestAChannelIsRefusedByTheNameOfItsField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := both("x", "y"), both("x", "y")
		here[0].Domain, there[0].Domain, there[0].Reliability = "market", "signal", link.BestEffort
		p := newPair(t, here, there, nil)
		e := p.bd.one(t, Refused)
		if e.Channel != "x" || e.Peer != "a" || len(e.Fields) != 2 ||
			e.Fields[0] != (link.Difference{Field: "reliability", Mine: "best effort", Theirs: "reliable"}) ||
			e.Fields[1] != (link.Difference{Field: "domain", Mine: `"signal"`, Theirs: `"market"`}) {
			t.Errorf("%+v", e)
		}
		if e := p.ad.one(t, Refused); e.Channel != "x" || e.Peer != "b" || e.Fields[1].Mine != `"market"` {
			t.Errorf("%+v", e)
		}
		if _, err := p.link.Secret("x", Out); !errors.Is(err, ErrSecret) {
			t.Error("a secret for a channel that was refused:", err)
		}
		if _, err := p.link.Secret("y", Out); err != nil {
			t.Error(err)
		}
	})
}

// TestASilentPeerIsGoneInTime: neither end is told that the way is cut; both find out within their Liveness, and come together again.
func TestASilentPeerIsGoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), nil)
		pass(10 * time.Second)
		if all := append(p.ad.of(Disconnected, Trouble), p.bd.of(Disconnected, Trouble)...); len(all) != 0 {
			t.Fatal("a link at rest:", all)
		}
		p.square.closed.Store(true)
		p.square.last().cut.Store(true)
		pass(DefaultHeartbeat) // a beat may have left just before
		pass(3*DefaultHeartbeat - time.Millisecond - DefaultHeartbeat)
		if len(p.ad.of(Disconnected))+len(p.bd.of(Disconnected)) != 0 {
			t.Fatal("gone too early")
		}
		pass(DefaultHeartbeat + time.Millisecond)
		for _, d := range []*diary{p.ad, p.bd} {
			if e := d.one(t, Disconnected); !errors.Is(e.Err, ErrSilent) {
				t.Error(e.Err)
			}
		}
		if p.link.Connected() {
			t.Error("connected to nobody")
		}
		if _, ok := p.link.Offset(); ok {
			t.Error("a clock is known of somebody who is gone")
		}
		pass(20 * time.Second)
		p.bd.one(t, Trouble) // once, though it tried many times
		if n := p.link.Stats().Attempts; n < 4 || n > 60 {
			t.Errorf("%d attempts in 20 s", n)
		}
		p.square.closed.Store(false)
		pass(mostWait)
		if e := p.bd.of(Connected); len(e) != 2 || e[1].Fresh {
			t.Fatal(e)
		}
	})
}

// TestANewerConnectionReplacesAHalfOpenOne: the dialling side has lost its connection, the listening side has not noticed.
func TestANewerConnectionReplacesAHalfOpenOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), func(p *pair) { p.ao.Liveness = time.Hour })
		p.square.last().cut.Store(true)
		pass(time.Second)
		if e := p.ad.one(t, Disconnected); !errors.Is(e.Err, ErrReplaced) {
			t.Error(e.Err)
		}
		if e := p.ad.of(Connected); len(e) != 2 || e[1].Fresh {
			t.Error(e)
		}
		if n := len(p.listener.Links()); n != 1 {
			t.Errorf("%d links to one node", n)
		}
	})
}

// TestClosingSaysSo: the peer knows at once, and why.
func TestClosingSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), nil)
		must(t, p.link.Close())
		synctest.Wait()
		if e := p.ad.one(t, Disconnected); !errors.Is(e.Err, ErrEnded) {
			t.Error(e.Err)
		}
		p.bd.one(t, Disconnected)
		must(t, p.link.Close()) // again
	})
}

// TestANodeIsWhoItsCertificateSays: neither another name in the greeting nor another node at the address is taken.
func TestANodeIsWhoItsCertificateSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := trusttest.Authority(t)
		var n town
		ao, ad := options(t, ca, "a", both("x")...)
		listener, _ := n.listenAt(t, "a:1", ao)
		for _, c := range []struct {
			node, certified, dialled string
			by                       *diary // who refuses; nil: who dials
		}{
			{"b", "c", "a", ad},  // says it is b
			{"b", "b", "c", nil}, // meant c
			{"a", "a", "c", ad},  // has the other's name, and meets itself
		} {
			o, d := options(t, ca, c.certified, both("x")...)
			o.Node = c.node
			l := n.dialTo(t, c.dialled, "a:1", o)
			pass(10 * time.Second)
			here, there := d.of(Trouble), ad.of(Trouble)
			if c.by == ad {
				here = there
			}
			if !slices.ContainsFunc(here, func(e Event) bool { return errors.Is(e.Err, ErrPeer) }) {
				t.Errorf("%s dials %s, certified as %s: %v", c.node, c.dialled, c.certified, here)
			}
			must(t, l.Close())
		}
		if n := listener.Stats().Peers; n != 0 && listener.Link("b") != nil && listener.Link("b").Connected() {
			t.Errorf("%d peers", n)
		}
	})
}

// TestCertificatesTurnUnderALink: certified anew, the link stays; an authority taken out ends the links of those it vouched for, and their
// secrets; a peer that renews comes back (F19).
func TestCertificatesTurnUnderALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := trusttest.Authority(t), trusttest.Authority(t)
		af, bf := trusttest.Options(t, old, "a"), trusttest.Options(t, old, "b")
		life := trust.Life{Until: time.Now().Add(time.Hour)}
		p := newPair(t, both("x"), both("x"), func(p *pair) { p.ao.Identity, p.bo.Identity = trusttest.Open(t, af), trusttest.Open(t, bf) })
		before := secrets(t, p.link, "x")

		trusttest.Believe(t, af, old, young)
		trusttest.Believe(t, bf, old, young)
		trusttest.Renew(t, af, young, life, "a")
		must(t, p.ao.Identity.Reload())
		must(t, p.bo.Identity.Reload())
		pass(time.Second)
		if all := append(p.ad.of(Disconnected, Trouble), p.bd.of(Disconnected, Trouble)...); len(all) != 0 {
			t.Fatal("files were replaced, and the link noticed:", all)
		}

		trusttest.Believe(t, af, young) // b is certified by the old one
		must(t, p.ao.Identity.Reload())
		pass(time.Second)
		var r *trust.Refusal
		if e := p.ad.one(t, Disconnected); !errors.As(e.Err, &r) || r.Reason != trust.UnknownAuthority {
			t.Fatal(e.Err)
		}
		if _, err := p.at.Secret("x", Out); !errors.Is(err, ErrSecret) {
			t.Error("who is not believed has a secret:", err)
		}
		if e := p.bd.one(t, Trouble); !errors.As(e.Err, &r) || r.Reason != trust.ByPeer {
			t.Error(e.Err)
		}

		trusttest.Renew(t, bf, young, life, "b")
		must(t, p.bo.Identity.Reload())
		pass(mostWait)
		if !p.link.Connected() {
			t.Fatal("certified anew, and still refused:", p.ad.all, p.bd.all)
		}
		if after := secrets(t, p.link, "x"); slices.Equal(before, after) {
			t.Error("the secrets of before are used again")
		}
	})
}

func TestOptionsTellAllFaultsAtOnce(t *testing.T) {
	_, err := Dial(Options{Contracts: []link.Contract{{}}, Heartbeat: 1, Peers: -1}, "a", "a:1")
	for _, say := range []string{"no identity", "node", "neither sends nor takes", "heartbeat", "-1 peers"} {
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), say) {
			t.Errorf("%v; want %q in it", err, say)
		}
	}
	o, _ := options(t, trusttest.Authority(t), "a")
	for _, c := range []struct{ peer, addr string }{{"", "h:1"}, {"a", "h:1"}, {"b", "h"}} {
		if _, err := Dial(o, c.peer, c.addr); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestWaitsGrowWithJitterUpToABound(t *testing.T) {
	for name, below := range map[string]func(int64) int64{
		"least": func(int64) int64 { return 0 }, "most": func(n int64) int64 { return n - 1 }, "middle": func(n int64) int64 { return n / 2 },
	} {
		var b backoff
		last := time.Duration(0)
		for range 100 {
			w := b.next(below)
			if w < firstWait || w > mostWait || w > max(3*last, firstWait+1) || name == "most" && w < last {
				t.Fatalf("%s: %v after %v", name, w, last)
			}
			last = w
		}
		if want := map[string]time.Duration{"least": firstWait, "most": mostWait}[name]; want != 0 && last != want {
			t.Errorf("%s: ends at %v", name, last)
		}
	}
}

// TestWhoIsNotBelievedHasNoSecretsWithoutALinkEither: an authority taken out while the nodes are apart takes the secrets with it, at once.
func TestWhoIsNotBelievedHasNoSecretsWithoutALinkEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := trusttest.Authority(t), trusttest.Authority(t)
		files := trusttest.Options(t, old, "a")
		p := newPair(t, both("x"), both("x"), func(p *pair) {
			p.ao.Identity, p.bo.Identity = trusttest.Open(t, files), trusttest.Identity(t, old, "b")
		})
		p.square.closed.Store(true)
		must(t, p.square.last().Close())
		pass(time.Second)
		if p.at.Connected() || len(secrets(t, p.at, "x")) == 0 {
			t.Fatal("nodes that are apart keep their secrets")
		}
		trusttest.Believe(t, files, young)
		must(t, p.ao.Identity.Reload())
		if _, err := p.at.Secret("x", Out); !errors.Is(err, ErrSecret) {
			t.Error(err)
		}
		if c := p.at.Channels(); len(c) != 0 {
			t.Errorf("agreed on %q", c)
		}
	})
}

// TestContractsChangeUnderALink: both sides compare anew, whichever of them changed; secrets stay, and what no node can keep changes nothing.
func TestContractsChangeUnderALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), nil)
		before := secrets(t, p.link, "x")
		p.ad.of(Connected)
		p.bd.of(Connected)
		for _, update := range []func([]link.Contract) error{p.listener.Update, p.link.Update} {
			must(t, update(both("x", "y")))
			pass(time.Second)
			for _, d := range []*diary{p.ad, p.bd} {
				if e := d.one(t, Connected); e.Fresh {
					t.Error("contracts changed, and secrets with them")
				}
				if e := d.one(t, Disconnected); !errors.Is(e.Err, ErrUpdated) && !errors.Is(e.Err, ErrEnded) {
					t.Error(e.Err)
				}
			}
		}
		if !slices.Equal(p.link.Channels(), []string{"x", "y"}) || !slices.Equal(p.at.Channels(), []string{"x", "y"}) {
			t.Error(p.link.Channels(), p.at.Channels())
		}
		if !slices.Equal(before, secrets(t, p.link, "x")) {
			t.Error("secrets changed and nobody was told")
		}
		for _, update := range []func([]link.Contract) error{p.listener.Update, p.link.Update} {
			if err := update([]link.Contract{{}}); !errors.Is(err, ErrOptions) {
				t.Error(err)
			}
		}
		pass(time.Second)
		if all := append(p.ad.of(Disconnected), p.bd.of(Disconnected)...); len(all) != 0 {
			t.Error("refused, and the links notice:", all)
		}
		changed := both("x", "y")
		changed[0].Domain = "market"
		must(t, p.link.Update(changed))
		pass(time.Second)
		if e := p.ad.one(t, Refused); e.Channel != "x" || e.Fields[0].Field != "domain" {
			t.Errorf("%+v", e)
		}
	})
}

// TestSecretsDoNotPrint: neither a link nor groups show theirs, whatever they are printed with.
func TestSecretsDoNotPrint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), nil)
		g, err := NewGroups(GroupOptions{Channels: []string{"x"}})
		must(t, err)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			for _, v := range []any{p.link, p.at, g} {
				if text := fmt.Sprintf(verb, v); !strings.HasPrefix(text, "control ") || len(text) > 60 {
					t.Errorf("%T with %s: %.200s", v, verb, text)
				}
			}
		}
	})
}

// TestOfTwoProcessesWithOneNameTheLaterStays: the earlier one is told so, and does not push it out in turn (F23).
func TestOfTwoProcessesWithOneNameTheLaterStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, both("x"), both("x"), func(p *pair) { p.bo.Start = 7 })
		later, d := p.bo, &diary{}
		later.Start, later.Events = 8, d.write
		other := p.town.dialTo(t, "a", "a:1", later)
		pass(time.Minute)
		if d.one(t, Connected); !other.Connected() || p.link.Connected() {
			t.Fatal("the earlier life is connected")
		}
		if len(d.of(Disconnected)) != 0 || len(p.bd.of(Connected)) != 1 {
			t.Error("they push each other out")
		}
		if all := p.ad.of(Trouble); len(all) == 0 || !errors.Is(all[0].Err, ErrPeer) {
			t.Error("nobody is told:", all)
		}
	})
}
