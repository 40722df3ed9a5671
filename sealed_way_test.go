package transport_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
)

// A channel that the topology encrypts goes by UDP sealed with its secret, or not at all.
func TestANodesChannelsBySealedUDP(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := seal.NewSecret().Write(secret); err != nil {
		t.Fatal(err)
	}
	open := func(sub, how string, node, actor string) (*transport.Node, error) {
		file := filepath.Join(dir, sub, "pipeline.yaml")
		if node == "left" {
			file = pipeline(t, filepath.Join(dir, sub), fmt.Sprintf("  quotes: { protocol: udp, %s }\n  orders: { protocol: udp, encryption: none }\n", how))
		}
		n, err := transport.Open(t.Context(), transport.Config{File: file, At: node, Actor: actor, Dir: filepath.Join(dir, sub, node),
			Media: []transport.Medium{udp.Medium{}}, Notes: func(n netio.Note) { t.Logf("%s: %+v", node, n) }})
		if err == nil {
			t.Cleanup(func() {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return n, err
	}
	for name, c := range map[string]struct{ how, want string }{
		"bare":  {"encryption: chacha20_poly1305", "has no secret"},
		"other": {"encryption: aes256_gcm, secret: '${file:" + secret + "}'", "aes256-datagram"},
	} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := open(name, c.how, "left", "feed"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.how, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sealed"), 0o700); err != nil {
		t.Fatal(err)
	}
	how := "encryption: chacha20_poly1305, secret: '${file:" + secret + "}'"
	left, err := open("sealed", how, "left", "feed")
	if err != nil {
		t.Fatal(err)
	}
	middle, err := open("sealed", how, "middle", "brain")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := middle.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	const total = 1000
	for i := range uint64(total) {
		if err := pub.Send(binary.LittleEndian.AppendUint64(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	next := uint64(0)
	for end := time.Now().Add(10 * time.Second); next < total; {
		if _, err := sub.Poll(100, func(f seal.Frame) { take(t, f, &next) }); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d arrive", next, total)
		}
	}
}
