package route

import (
	"slices"
	"strings"
	"testing"

	"github.com/alphapulse/transport/route/topo"
)

func TestCrossRegionIsNeverUnencrypted(t *testing.T) {
	for _, p := range []topo.Protocol{topo.Auto, topo.TCP, topo.UDP, topo.QUIC, topo.XDP, topo.ViaQueue} {
		for _, e := range []topo.Encryption{topo.EncryptAuto, topo.EncryptNone, topo.EncryptTLS, topo.EncryptAES256GCM} {
			for _, security := range []topo.Security{0, topo.Plain, topo.Encrypted} {
				ch := channel(topo.ModeDirect, p)
				if p == topo.ViaQueue {
					ch = channel(topo.ModeQueue, topo.Auto)
				}
				ch.Transport.Encryption, ch.Security = e, security
				top := apart(OtherRegion, ch)
				top.Queues[0].TLS = false
				d, findings := decision(t, top)
				if d.Primary.Encryption == topo.EncryptNone {
					t.Errorf("%s, %s, %s: %s", p, e, security, d)
				}
				if e == topo.EncryptNone && findings.Err() == nil {
					t.Errorf("%s: unencrypted across regions is accepted", p)
				}
			}
		}
	}
}

func TestEncryptionInForce(t *testing.T) {
	for _, c := range []struct {
		name     string
		protocol topo.Protocol
		asked    topo.Encryption
		security topo.Security
		want     topo.Encryption
		wrong    bool
	}{
		{"tcp", topo.TCP, topo.EncryptAuto, 0, topo.EncryptTLS, false},
		{"tcp none", topo.TCP, topo.EncryptNone, 0, topo.EncryptNone, false},
		{"tcp plain", topo.TCP, topo.EncryptAuto, topo.Plain, topo.EncryptNone, false},
		{"tcp cipher", topo.TCP, topo.EncryptChaCha20Poly1305, 0, topo.EncryptTLS, false},
		{"tcp none, secure", topo.TCP, topo.EncryptNone, topo.Authenticated, topo.EncryptTLS, true},
		{"udp", topo.UDP, topo.EncryptAuto, 0, topo.EncryptAuto, false},
		{"udp none", topo.UDP, topo.EncryptNone, 0, topo.EncryptNone, false},
		{"udp cipher", topo.UDP, topo.EncryptChaCha20Poly1305, 0, topo.EncryptChaCha20Poly1305, false},
		{"udp unknown cipher", topo.UDP, topo.EncryptAES256GCM, 0, topo.EncryptAuto, true},
		{"tcp aes", topo.TCP, topo.EncryptAES256GCM, 0, topo.EncryptTLS, false},
		{"udp tls", topo.UDP, topo.EncryptTLS, 0, topo.EncryptAuto, true},
		{"quic", topo.QUIC, topo.EncryptAuto, topo.Plain, topo.EncryptTLS, false},
		{"quic none", topo.QUIC, topo.EncryptNone, 0, topo.EncryptTLS, true},
	} {
		ch := channel(topo.ModeDirect, c.protocol)
		ch.Transport.Encryption, ch.Security = c.asked, c.security
		d, findings := decision(t, apart(SameSite, ch))
		if d.Primary.Encryption != c.want || (findings.Err() != nil) != c.wrong {
			t.Errorf("%s: %s, %v", c.name, d.Primary.Encryption, findings)
		}
	}
}

// TestSealedDatagramsNeedAKeyFromSomewhere: a secret of the file, or certificates of both nodes, and otherwise it is said.
func TestSealedDatagramsNeedAKeyFromSomewhere(t *testing.T) {
	certified := func(nodes ...string) func(*topo.Topology) {
		return func(top *topo.Topology) {
			for _, n := range nodes {
				top.Node(n).Trust.Certificate = n + ".pem"
			}
		}
	}
	for _, c := range []struct {
		name  string
		with  func(*topo.Topology)
		asked topo.Encryption
		said  bool
	}{
		{"nothing", certified(), topo.EncryptChaCha20Poly1305, true},
		{"nothing, by default", certified(), topo.EncryptAuto, true},
		{"one certificate", certified("left"), topo.EncryptChaCha20Poly1305, true},
		{"both certificates", certified("left", "right"), topo.EncryptChaCha20Poly1305, false},
		{"a secret", func(top *topo.Topology) { top.Channels[0].Transport.Secret = topo.NewSecret("x", "a test") }, topo.EncryptChaCha20Poly1305, false},
		{"in the clear", certified(), topo.EncryptNone, false},
	} {
		for _, p := range []topo.Protocol{topo.UDP, topo.XDP} {
			ch := channel(topo.ModeDirect, p)
			ch.Transport.Encryption = c.asked
			top := apart(SameSite, ch)
			c.with(top)
			_, findings := decision(t, top)
			said := slices.ContainsFunc(findings, func(f topo.Finding) bool { return f.Rule == "no-keys" && f.Severity == topo.Warning })
			if said != c.said || findings.Err() != nil {
				t.Errorf("%s by %s: %v", c.name, p, findings)
			}
		}
	}
}

func TestQueuesAreSealedOrReachedByTLS(t *testing.T) {
	ch := channel(topo.ModeQueue, 0)
	top := apart(SameSite, ch)
	if d, _ := decision(t, top); d.Primary.Encryption != topo.EncryptTLS {
		t.Error(d)
	}
	top.Queues[0].TLS = false
	if d, _ := decision(t, top); d.Primary.Encryption != topo.EncryptNone {
		t.Error(d)
	}
	top.Channels[0].Transport.Encryption = topo.EncryptChaCha20Poly1305
	if d, f := decision(t, top); d.Primary.Encryption != topo.EncryptChaCha20Poly1305 || len(f) != 0 || !strings.Contains(d.Primary.Guard, "secret") {
		t.Error(d, f)
	}
	top.Channels[0].Transport.Secret = topo.NewSecret("x", "a test")
	if d, f := decision(t, top); len(f) != 0 || strings.Contains(d.Primary.Guard, "secret") {
		t.Error(d, f)
	}
	top.Queues = nil
	top.Channels[0].Transport.Encryption = 0
	if d, f := decision(t, top); d.Primary.Backend != topo.RabbitMQ || len(f) != 1 || f[0].Rule != "no-backend" {
		t.Error(d, f)
	}
	local := apart(SameNUMA, ch)
	local.Queues = nil
	if d, f := decision(t, local); d.Primary.Backend != topo.Journal || len(f) != 0 {
		t.Error(d, f)
	}
}

// A journal joins nodes of one machine; between two the file is refused, and told what would do.
func TestAJournalBetweenTwoMachinesIsRefused(t *testing.T) {
	for _, mode := range []topo.Mode{topo.ModeQueue, topo.ModeHybrid, topo.ModeDirectWithQueueFallback, topo.ModeQueueWithDirectFallback} {
		top := apart(SameSite, channel(mode, 0))
		top.Channels[0].Transport.Backend = topo.Journal
		a, b := &top.Nodes[0], &top.Nodes[1]
		a.Hostname, b.Hostname = "one", "two"
		_, f := decision(t, top)
		if len(f) != 1 || f[0].Rule != "far-journal" || f[0].Severity != topo.Error || !strings.Contains(f[0].Remedy, "rabbitmq") || !strings.Contains(f[0].Remedy, "hostname") {
			t.Errorf("%s: %v", mode, f)
		}
		b.Hostname = "one"
		if _, f := decision(t, top); len(f) != 0 {
			t.Errorf("%s, one machine: %v", mode, f)
		}
		a.Hostname, b.Hostname = "", ""
		a.Addresses, b.Addresses = []string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.2"}
		if _, f := decision(t, top); len(f) != 0 {
			t.Errorf("%s, one address: %v", mode, f)
		}
	}
}
