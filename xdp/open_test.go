package xdp

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
)

func TestATakenQueueIsRefused(t *testing.T) {
	b := newBed(t, netlab.Options{})
	d := b.open("b", Options{})
	if _, err := b.try("b", Options{}); !errors.Is(err, ErrTaken) {
		t.Errorf("the second: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	b.open("b", Options{}) // though the kernel still cleans up
}

func TestBadOptionsNameEveryFault(t *testing.T) {
	_, err := Open(Options{Ports: make([]uint16, MaxPorts+1), Queues: []int{1, 1, -1}, Attach: AttachNone, Copying: 9, ChunkSize: 8192,
		ReceiveChunks: 100, SendChunks: 32, BusyPoll: -1, BusyBudget: -1, Loss: 101})
	if !errors.Is(err, ErrOptions) {
		t.Fatal(err)
	}
	for _, word := range []string{"no interface", "65 ports", "port 0", "twice", "queue -1", "attach", "copying", "8192", "100 chunks",
		"32 chunks", "busy poll of", "budget", "a loss of 101"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in %v", word, err)
		}
	}
	b := newBed(t, netlab.Options{})
	if _, err := b.try("b", Options{Queues: []int{7}}); err == nil || !strings.Contains(err.Error(), "queue 7 of 1") {
		t.Errorf("a queue that is not there: %v", err)
	}
	if _, err := b.try("b", Options{Bind: true, Node: 500}); !errors.Is(err, numa.ErrNoNode) {
		t.Errorf("a node that is not there: %v", err)
	}
}

func TestMemoryLiesWhereItIsAskedFor(t *testing.T) {
	b := newBed(t, netlab.Options{})
	const pool = "/proc/sys/vm/nr_hugepages"
	turn, err := sys.LockDir(os.TempDir()) // tests of other packages have huge pages, too: they take turns
	if err != nil {
		t.Fatal(err)
	}
	defer turn.Close()
	before, err := os.ReadFile(pool)
	if err != nil {
		t.Skip(err)
	}
	set := func(n string) {
		if err := os.WriteFile(pool, []byte(n), 0o644); err != nil {
			t.Skip(err) // not root
		}
	}
	defer set(string(before))
	a := b.listen("a", b.addr4("a"))
	for _, c := range []struct {
		pages string
		huge  bool
	}{{"0", false}, {"8", true}} {
		set(c.pages)
		d := b.open("b", Options{Ports: []uint16{port}, HugePages: true, Bind: true, Node: 0})
		m := d.Mode()
		if m.HugePages != c.huge {
			t.Errorf("pool of %s: %s", c.pages, m.Explain())
		}
		if !c.huge && !strings.Contains(m.Explain(), "not huge pages") {
			t.Error(m.Explain())
		}
		places, err := numa.Placement(d.memory.All())
		if err != nil || len(places) != 1 || places[0] == 0 {
			t.Errorf("pages lie %v: %v", places, err)
		}
		say(t, a, []byte("into it"), b.addr4("b"))
		expect(t, []byte("into it"), d.Sockets()[0])
		send(t, d.Sockets()[0], b.datagram("b", "a", false, []byte("out of it")))
		hear(t, a, []byte("out of it"))
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBusyPollCarriesAndSaysSo(t *testing.T) {
	b := newBed(t, netlab.Options{})
	d := b.open("b", Options{Ports: []uint16{port}, BusyPoll: 20 * time.Microsecond})
	if m := d.Mode(); !m.BusyPoll || !strings.Contains(m.String(), "busy poll") {
		t.Errorf("%+v", m)
	}
	s, a := d.Sockets()[0], b.listen("a", b.addr4("a"))
	if n := s.Peek(make([]Chunk, 1)); n != 0 {
		t.Errorf("%d packets come out of nothing", n)
	}
	for i := range 20 {
		in := fmt.Appendf(nil, "polled %d", i)
		say(t, a, in, b.addr4("b"))
		expect(t, in, s)
		send(t, s, b.datagram("b", "a", false, in))
		hear(t, a, in)
	}
	if st := stats(t, s); st.Pokes == 0 || st.Received != 20 {
		t.Errorf("%+v", st)
	}
}
