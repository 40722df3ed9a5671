package mqadapt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// again is a queue whose next consumer begins behind what the last one acknowledged.
type again struct{ list }

func (a *again) Consumer(string) (mqadapt.Consumer, error) {
	a.given = int(a.acked)
	return (*getter)(&a.list), nil
}

// grave keeps dead letters, unless it is told not to.
type grave struct {
	mu   sync.Mutex
	full bool
	kept []string
}

func (g *grave) Add(d mqadapt.Delivery, why error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return errors.New("no room")
	}
	g.kept = append(g.kept, fmt.Sprintf("%d %s", d.Position, why))
	return nil
}

func (g *grave) Close() error { return nil }

func (g *grave) letters() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.kept)
}

// What a hub's takers refuse is kept, counted by reason, and told once a second for each reason. While it cannot be kept it stays in its queue.
func TestRefusedDeliveriesAreKeptCountedAndTold(t *testing.T) {
	q := &again{}
	for range 100 {
		q.kept = append(q.kept, []byte("no envelope"))
	}
	foreign := mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: seal.ChannelID("other"), Source: 1, Epoch: 1, Seq: 1}, Body: make([]byte, 8)}
	b := make([]byte, foreign.Size())
	foreign.PutBytes(b)
	q.kept = append(q.kept, b)
	g := &grave{full: true}
	var mu sync.Mutex
	told := map[string]int{}
	hub := mqadapt.NewHub(netio.QueueSite{Node: "right", Dead: "/var/lib/pulse/dead", Notes: func(n netio.Note) {
		mu.Lock()
		defer mu.Unlock()
		told[n.What]++
		if n.What == "dead letter" && !strings.Contains(n.Err.Error(), "/var/lib/pulse/dead/c.again") {
			t.Errorf("it does not say where it is kept: %v", n.Err)
		}
	}}, mqadapt.Backend{Kind: "again", Open: func(netio.QueueLine) (mqadapt.Queue, error) { return q, nil },
		Dead: func(dir string) (mqadapt.Dead, error) {
			if dir != filepath.Join("/var/lib/pulse/dead", "c.again") {
				t.Error(dir)
			}
			return g, nil
		}})
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Opened: func(*ring.Ring) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer mirrors.Close()
	if _, err := hub.Take(netio.QueueLine{Channel: "c", Queue: "c", Group: "right", Mirrors: mirrors}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told that nothing can be kept", func() bool { mu.Lock(); defer mu.Unlock(); return told["trouble"] > 0 })
	if all := hub.Refused(); len(all) != 0 {
		t.Errorf("counted and not kept: %+v", all)
	}
	g.mu.Lock()
	g.full = false
	g.mu.Unlock()
	began := time.Now()
	eventually(t, "all is kept", func() bool { return g.letters() == 101 })
	all := hub.Refused()
	if len(all) != 1 || all[0].Channel != "c" || all[0].Queue != "again" || all[0].Reasons["malformed"] != 100 || all[0].Reasons["foreign"] != 1 ||
		all[0].Kept != "/var/lib/pulse/dead/c.again" {
		t.Errorf("%+v", all)
	}
	if err := hub.Close(); err != nil {
		t.Fatal(err)
	}
	if n := told["dead letter"]; n < 2 || n > 2+2*int(time.Since(began)/time.Second) {
		t.Errorf("told %d times", n)
	}
	if !strings.HasPrefix(g.kept[0], "1 ") || q.acked != 101 {
		t.Errorf("%s; acknowledged %d", g.kept[0], q.acked)
	}
}

func ExampleDead() {
	dir, _ := os.MkdirTemp("", "pulse")
	defer os.RemoveAll(dir)
	b := mqadapt.Backend{Kind: "list", Open: func(netio.QueueLine) (mqadapt.Queue, error) { return &list{}, nil },
		Dead: func(dir string) (mqadapt.Dead, error) { return mqadapt.OpenDeadLetters(dir+".jsonl", "orders", 0) }}
	var d mqadapt.Dead
	d, err := b.Dead(filepath.Join(dir, "orders.list"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.Add(mqadapt.Delivery{Envelope: []byte("?"), Position: 1}, mqadapt.ErrMalformed))
	// Output: <nil>
}
