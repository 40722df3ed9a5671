package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// secretive is two nodes that agree on secrets, with somebody between them who hears and repeats all that they say.
type secretive struct {
	*testing.T
	dir    string
	at     []any // ports of the nodes
	spy    *spy
	notes  map[string]*notes
	nodes  map[string]*transport.Node
	actors map[string]string
	text   string // of the file, about actors

	channels string
	trusts   map[string]string // and about nodes' certificates
	turned   string            // in whose file middle stands before left
}

const (
	twoOutputs = `
actors:
  feed:  { type: producer, outputs: [quotes, extras], source_id: 1 }
  brain: { type: consumer, inputs: [quotes, extras] }
placements:
  feed:  { node: left }
  brain: { node: middle }
`
	sealedChannels = "  extras: { protocol: udp, encryption: chacha20_poly1305 }\n  quotes: { protocol: udp, encryption: chacha20_poly1305%s }\n"
	marker         = "nobody reads this but who may: "
)

func newSecretive(t *testing.T) *secretive {
	t.Helper()
	s := &secretive{T: t, dir: t.TempDir(), at: ports(12), notes: map[string]*notes{"left": {}, "middle": {}}, nodes: map[string]*transport.Node{},
		actors: map[string]string{"left": "feed", "middle": "brain"}, text: twoOutputs, channels: sealedChannels, trusts: map[string]string{}}
	s.spy = newSpy(t, s.port(4), s.port(6))
	return s
}

func (s *secretive) port(i int) uint16 { return s.at[i].(uint16) }

// write writes the file of a node. That of left has the spy where middle is.
func (s *secretive) write(node, more string) string {
	s.Helper()
	dir := filepath.Join(s.dir, node)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.Fatal(err)
	}
	at := slices.Clone(s.at)
	if node == "left" {
		at[4], at[6] = s.spy.control, s.spy.data
	}
	file := topologyWith(s.T, dir, s.text, fmt.Sprintf(s.channels, more), at)
	text, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	for node, trust := range s.trusts {
		i := bytes.Index(text, []byte(node+": "))
		j := i + bytes.Index(text[i:], []byte("{")) + 1
		text = slices.Insert(text, j, []byte(" trust: { "+trust+" },")...)
	}
	if s.turned == node {
		lines := strings.SplitAfter(string(text), "\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "  left: ") })
		lines[i], lines[i+1] = lines[i+1], lines[i]
		text = []byte(strings.Join(lines, ""))
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.Fatal(err)
	}
	return file
}

// reload writes a node's file anew and has it read.
func (s *secretive) reload(node, more string) {
	s.Helper()
	s.write(node, more)
	if err := s.nodes[node].Reload(s.Context()); err != nil {
		s.Fatal(err)
	}
}

func (s *secretive) open(node string, id netio.Identity, more string) *transport.Node {
	s.Helper()
	file := s.write(node, more)
	n := openPlace(s.T, transport.Config{File: file, At: node, Actor: s.actors[node], Dir: filepath.Join(s.dir, node, "rings"), Identity: id,
		Media: []transport.Medium{udp.Medium{}, tcp.Medium{}}, HoldDown: 100 * time.Millisecond, Notes: func(n netio.Note) {
			s.Logf("%s: %+v", node, n)
			s.notes[node].add(n)
		}})
	s.nodes[node] = n
	return n
}

// accord is what left says of a channel.
func (s *secretive) accord(channel string) transport.Accord {
	s.Helper()
	all, err := s.nodes["left"].Accords(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, one := range all {
		if one.Channel == channel && one.Node == "middle" {
			return one
		}
	}
	s.Fatalf("no accord about %s: %+v", channel, all)
	return transport.Accord{}
}

func (s *secretive) eventually(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not within 20s: %s", what)
		}
	}
}

// flow is one channel from left to middle.
type flow struct {
	s          *secretive
	pub        *transport.Publisher
	sub        *transport.Subscriber
	sent, next int
}

func (s *secretive) flow(channel string) *flow {
	s.Helper()
	pub, err := s.nodes["left"].Publisher(channel)
	if err != nil {
		s.Fatal(err)
	}
	f := &flow{s: s, pub: pub}
	f.subscribe(channel)
	return f
}

func (f *flow) subscribe(channel string) {
	f.s.Helper()
	var err error
	if f.sub, err = f.s.nodes["middle"].Subscriber(channel); err != nil {
		f.s.Fatal(err)
	}
}

func (f *flow) send(n int) {
	f.s.Helper()
	for range n {
		if err := f.pub.Send(fmt.Appendf(nil, "%s%d", marker, f.sent)); err != nil {
			f.s.Fatal(err)
		}
		f.sent++
	}
}

// poll takes what is there, which is what is due.
func (f *flow) poll() int {
	f.s.Helper()
	if _, err := f.sub.Poll(1000, func(m seal.Frame) {
		if want := fmt.Sprintf("%s%d", marker, f.next); string(m.Payload) != want {
			f.s.Fatalf("%q where %q is due", m.Payload, want)
		}
		f.next++
	}); err != nil {
		f.s.Fatal(err)
	}
	return f.next
}

func (f *flow) arrives(what string) {
	f.s.Helper()
	f.s.eventually(what, func() bool { return f.poll() == f.sent })
}

// of is what was told by a medium, of a kind.
func (n *notes) of(medium, what string) (some []netio.Note) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.all {
		if one.Medium == medium && one.What == what {
			some = append(some, one)
		}
	}
	return some
}

// Nodes with certificates need no secret file: what goes between them by UDP is sealed with secrets that they agree on. Who listens reads nothing,
// who forges is not believed, and a node that starts again has new secrets and everything that waited for it.
func TestNodesAgreeOnTheSecretsOfDatagrams(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.open("left", trusttest.Identity(t, ca, "left"), "")
	s.open("middle", trusttest.Identity(t, ca, "middle"), "")
	f := s.flow("quotes")
	f.send(100)
	f.arrives("what was published")
	forger(t, loopback(s.port(6)+1))
	f.send(100)
	f.arrives("what was published meanwhile")
	s.eventually("the clocks are compared", func() bool { return s.accord("quotes").Error > 0 })
	a := s.accord("quotes")
	if !a.Connected || !a.Agreed || a.Differs != "" || a.Trouble != "" || a.Ahead.Abs() > a.Error || a.RTT <= 0 {
		t.Errorf("%+v", a) // it is one clock
	}
	if err := s.nodes["middle"].Close(); err != nil {
		t.Fatal(err)
	}
	f.send(100)
	s.open("middle", trusttest.Identity(t, ca, "middle"), "")
	f.subscribe("quotes")
	f.arrives("what waited for a node that starts again")
	if s.spy.read.Load() || s.spy.datagrams.Load() == 0 || s.spy.forged.Load() == 0 {
		t.Errorf("a spy heard %d datagrams and changed %d; it could read them: %t", s.spy.datagrams.Load(), s.spy.forged.Load(), s.spy.read.Load())
	}
}

// forger sends a channel to an address without anybody's certificate, and has tried when it returns.
func forger(t *testing.T, to netip.AddrPort) {
	t.Helper()
	secret := seal.NewSecret()
	for name, o := range map[string]udp.SenderOptions{
		"with a secret of its own": {Secret: &secret},
		"in the clear":             {},
	} {
		o.Channel, o.Reliability, o.Lines = "quotes", udp.Repaired, []udp.Dial{{To: to}}
		out, err := udp.NewSender(o)
		if err != nil {
			t.Fatal(err)
		}
		own, err := ring.Create(ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := own.Writer()
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Add(own); err != nil {
			t.Fatal(err)
		}
		b, err := w.Claim(6)
		if err != nil {
			t.Fatal(err)
		}
		w.Commit(copy(b, "forged"))
		for end := time.Now().Add(20 * time.Second); out.Stats().Datagrams < 20; time.Sleep(time.Millisecond) {
			if _, err := out.Do(); err != nil || time.Now().After(end) {
				t.Fatal(name, err)
			}
		}
		if err := errors.Join(out.Close(), w.Close(), own.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// Without its control link a channel goes on with the secrets that it has, and is not disturbed when the link is back.
func TestDatagramsFlowOnWithoutTheControlLink(t *testing.T) {
	const patient = ", liveness: 5s" // a machine that is busy is no disturbance
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.open("left", trusttest.Identity(t, ca, "left"), patient)
	s.open("middle", trusttest.Identity(t, ca, "middle"), patient)
	f := s.flow("quotes")
	f.send(10)
	f.arrives("what was published")
	if err := s.spy.sever(true); err != nil {
		t.Fatal(err)
	}
	s.eventually("the link is cut", func() bool { return !s.accord("quotes").Connected })
	for range 10 {
		f.send(10)
		f.arrives("what was published without a control link")
	}
	if a := s.accord("quotes"); a.Connected || !a.Agreed {
		t.Errorf("%+v", a)
	}
	if err := s.spy.sever(false); err != nil {
		t.Fatal(err)
	}
	s.eventually("the link is back", func() bool { return s.accord("quotes").Connected })
	f.send(100)
	f.arrives("what was published afterwards")
	for node, n := range s.notes {
		if gone := n.of("udp", "disconnected"); len(gone) > 0 {
			t.Errorf("%s: the channel was disturbed: %+v", node, gone)
		}
		if n := len(n.of("control", "connected")); n < 2 {
			t.Errorf("%s: connected %d times", node, n)
		}
	}
}

// A channel by which two nodes mean different things does not flow, and both say by which field; the others do. It flows once they agree.
func TestAContractThatDiffersIsToldByItsField(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.open("left", trusttest.Identity(t, ca, "left"), ", domain: signal, max_message_size: 2KiB")
	s.open("middle", trusttest.Identity(t, ca, "middle"), ", domain: execution, max_message_size: 1KiB")
	quotes, extras := s.flow("quotes"), s.flow("extras")
	quotes.send(10)
	extras.send(10)
	extras.arrives("the other channel")
	for _, want := range []string{`domain: here "signal", there "execution"`, "largest: here 2048, there 1024"} {
		if a := s.accord("quotes"); a.Agreed || !strings.Contains(a.Differs, want) {
			t.Errorf("no word of %s: %+v", want, a)
		}
	}
	if err := s.spy.sever(true); err != nil { // what is told once is not told again with the next connection
		t.Fatal(err)
	}
	if err := s.spy.sever(false); err != nil {
		t.Fatal(err)
	}
	s.eventually("the link is back", func() bool {
		return len(s.notes["left"].of("control", "connected")) > 1 && s.accord("quotes").Connected
	})
	for node, n := range s.notes {
		told := n.of("control", "refused")
		if len(told) != 1 || told[0].Channel != "quotes" || !strings.Contains(told[0].Err.Error(), "domain: ") {
			t.Errorf("%s: %+v", node, told)
		}
	}
	if quotes.poll() != 0 {
		t.Error("it flows")
	}
	s.reload("middle", ", domain: signal, max_message_size: 2KiB")
	quotes.arrives("what waited until the nodes agreed")
	s.eventually("it is well", func() bool { a := s.accord("quotes"); return a.Agreed && a.Differs == "" })
	extras.send(10)
	extras.arrives("the other channel, on")
}

// A node that another authority vouches for is told of once, with the remedy, and not one datagram goes to it.
func TestAStrangerGetsNothing(t *testing.T) {
	s := newSecretive(t)
	s.open("left", trusttest.Identity(t, trusttest.Authority(t), "left"), "")
	s.open("middle", trusttest.Identity(t, trusttest.Authority(t), "middle"), "")
	f := s.flow("quotes")
	f.send(10)
	s.eventually("left has tried and tried", func() bool { return s.spy.dialled.Load() >= 5 })
	for node, n := range s.notes {
		told := n.of("control", "trouble")
		told = slices.DeleteFunc(told, func(n netio.Note) bool { // left may have dialled before middle was there
			var why *trust.Refusal
			return node == "left" && errors.As(n.Err, &why) && why.Reason == trust.Broken
		})
		want := map[string]trust.Reason{"left": trust.UnknownAuthority, "middle": trust.ByPeer}[node]
		var why *trust.Refusal
		if len(told) != 1 || !errors.As(told[0].Err, &why) || why.Reason != want {
			t.Errorf("%s: %d notes of one trouble: %+v", node, len(told), told)
		}
	}
	if n := s.spy.datagrams.Load(); n != 0 || f.poll() != 0 {
		t.Errorf("%d datagrams to a stranger, %d messages", n, f.poll())
	}
	if a := s.accord("quotes"); a.Connected || a.Agreed || a.Trouble == "" {
		t.Errorf("%+v", a)
	}
}

// Channels come and go with reloads of one node and then of the other, and what the others carry is neither lost nor repeated.
func TestAgreedChannelsComeAndGoUnderLoad(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.open("left", trusttest.Identity(t, ca, "left"), "")
	s.open("middle", trusttest.Identity(t, ca, "middle"), "")
	quotes := s.flow("quotes")
	quotes.send(10)
	quotes.arrives("what was published")
	for _, text := range []string{strings.ReplaceAll(twoOutputs, ", extras", ""), twoOutputs, strings.ReplaceAll(twoOutputs, ", extras", ""), twoOutputs} {
		s.text = text
		for _, node := range []string{"middle", "left"} {
			quotes.send(50)
			s.reload(node, "")
			quotes.send(50)
			quotes.arrives("what was published across a reload of " + node)
		}
	}
	extras := s.flow("extras")
	extras.send(10)
	extras.arrives("the channel that came back")
	if s.spy.read.Load() {
		t.Error("a spy could read it")
	}
}

// A reload that believes a node no more takes its secrets away, and one that believes it again gives it everything that waited.
func TestAReloadSaysWhomANodeBelieves(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	for _, node := range []string{"left", "middle"} {
		o := trusttest.Options(t, ca, node)
		s.trusts[node] = fmt.Sprintf("certificate: %s, key: %s, authorities: %s", o.Cert, o.Key, o.CA)
	}
	s.open("left", nil, "")
	s.open("middle", nil, "")
	f := s.flow("quotes")
	f.send(10)
	f.arrives("what was published")
	believing := s.trusts["left"]
	s.trusts["left"] += ", allow: [right]"
	s.reload("left", "")
	s.eventually("left has no secrets with middle", func() bool { a := s.accord("quotes"); return !a.Agreed && !a.Connected })
	f.send(10)
	s.trusts["left"] = believing
	s.reload("left", "")
	f.arrives("what waited until the node was believed again")
}

// Two nodes whose files have them in different orders both dial. Both say so, and how that is mended.
func TestNodesThatBothDialAreToldSo(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.turned = "middle"
	s.open("left", trusttest.Identity(t, ca, "left"), "")
	s.open("middle", trusttest.Identity(t, ca, "middle"), "")
	for node, n := range s.notes {
		s.eventually(node+" says that both dial", func() bool {
			return slices.ContainsFunc(n.of("control", "trouble"), func(n netio.Note) bool { return strings.Contains(n.Err.Error(), "the first one dials") })
		})
	}
	if a := s.accord("quotes"); !strings.Contains(a.Trouble, "the first one dials") {
		t.Errorf("%+v", a)
	}
	f := s.flow("quotes")
	f.send(10)
	s.turned = ""
	s.reload("middle", "")
	f.arrives("what waited until one of them dialled")
	s.eventually("there is no trouble any more", func() bool { return s.accord("quotes").Trouble == "" })
}

// A channel with another way goes by that until the nodes have agreed.
func TestAnotherWayCarriesUntilNodesAgree(t *testing.T) {
	s, ca := newSecretive(t), trusttest.Authority(t)
	s.channels = "  extras: { protocol: udp }\n  quotes: { mode: fallback, pair: [udp, tcp], encryption: auto%s }\n"
	if err := s.spy.sever(true); err != nil {
		t.Fatal(err)
	}
	s.open("left", trusttest.Identity(t, ca, "left"), "")
	s.open("middle", trusttest.Identity(t, ca, "middle"), "")
	f := s.flow("quotes")
	by := func(medium string) {
		t.Helper()
		s.eventually("it goes by "+medium, func() bool {
			all, err := s.nodes["left"].Carriages(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return all[slices.IndexFunc(all, func(c transport.Carriage) bool { return c.Channel == "quotes" })].Medium == medium
		})
		f.send(100)
		f.arrives("what was published by " + medium)
	}
	by("tcp")
	if n := s.spy.datagrams.Load(); n != 0 {
		t.Errorf("%d datagrams before the nodes agreed", n)
	}
	if err := s.spy.sever(false); err != nil {
		t.Fatal(err)
	}
	by("udp")
	if s.spy.read.Load() {
		t.Error("a spy could read it")
	}
}
