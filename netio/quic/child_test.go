package quic

import (
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/ring"
)

// childRole tells this test's binary to be the node that is killed: what it listens on, where its mirrors are, and its identity's files.
const childRole = "PULSE_QUIC_CHILD"

func child(role string) {
	words := strings.Split(role, " ")
	i, err := trust.Open(trust.Options{Cert: words[2], Key: words[3], CA: words[4], Allow: []string{"*"}, Poll: -1})
	if err != nil {
		panic(err)
	}
	o := ListenOptions{Bind: netip.MustParseAddrPort(words[0]), Nodes: []string{"tx"}, Common: Common{TLS: i.Server(Protocol), Link: link.Options{Node: "rx",
		Liveness: liveness, Channels: []link.Channel{{Contract: link.Contract{Name: "ticks", Takes: true, Largest: 1 << 10},
			Inbox: netio.InboxOptions{Dir: words[1], Capacity: 1 << 22}}}}}}
	if _, err := Listen(o); err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or whoever began it is gone
}

// The receiving process is killed again and again. Its successor goes on with its mirrors: nothing is lost, repeated or out of order.
func TestKilledNodeGoesOnWhereItWas(t *testing.T) {
	b := newBed(t)
	dir := t.TempDir()
	id := trusttest.Options(t, b.authority, "rx")
	b.channels(link.Reliable, netio.InboxOptions{}, "ticks")
	b.dial.Link.Channels[0].Largest = 1 << 10
	b.dial.PauseMax, b.dial.Link.Liveness = 50*time.Millisecond, 500*time.Millisecond
	b.open().stop() // for a free port
	role := strings.Join([]string{b.listen.Bind.String(), dir, id.Cert, id.Key, id.CA}, " ")
	start := func() (kill func()) {
		c := exec.Command(os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), childRole+"="+role)
		c.Stderr = os.Stderr
		in, err := c.StdinPipe()
		must(t, err)
		must(t, c.Start())
		return func() { must(t, c.Process.Kill()); _ = c.Wait(); _ = in.Close() }
	}
	b.dial.To = b.listen.Bind
	b.connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	for range 1 + scaled(8) {
		kill := start()
		end := one.next + 1000
		until(t, "some are published", func() bool {
			for one.next < end && one.publish(64) {
			}
			return one.next == end
		})
		kill()
	}
	kill := start()
	until(t, "all is confirmed", b.link.Drained)
	kill()
	files, err := filepath.Glob(filepath.Join(dir, "*.ring"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	m, err := ring.Attach(files[0], ring.Options{})
	must(t, err)
	reader, err := m.Reader(ring.ReaderOptions{From: ring.Oldest})
	must(t, err)
	due, batch := uint64(1), make([]ring.Record, 64)
	for n := reader.Peek(batch); n > 0; n = reader.Peek(batch) {
		for i, r := range batch[:n] {
			if number := binary.LittleEndian.Uint64(r.Payload()); number != due || reader.First()+uint64(i) != due {
				t.Fatalf("message %d, number %d, where %d is due", number, reader.First()+uint64(i), due)
			}
			due++
		}
		must(t, reader.Release(n))
	}
	if due != one.next {
		t.Errorf("%d of %d are there", due-1, one.next-1)
	}
	must(t, reader.Close())
	must(t, m.Close())
}
