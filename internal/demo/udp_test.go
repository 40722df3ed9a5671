package demo

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/alphapulse/transport/netio/udp"
)

func TestNetworkCountsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	if n := len(udp.Reasons()); n > maxReasons {
		t.Fatalf("%d reasons, room for %d", n, maxReasons)
	}
	for life := range uint64(3) {
		b, err := openBook(dir, FeedName)
		if err != nil {
			t.Fatal(err)
		}
		s := udp.Stats{}
		m := newMeter(b, func() udp.Stats { return s })
		for i := range uint64(5) {
			s = udp.Stats{Datagrams: 10 * (i + 1), Again: 2 * (i + 1), Naks: i + 1, Lost: i}
			s.Dropped[udp.Late], s.Dropped[len(udp.Reasons())-1] = i, 7
			m.now = m.now.Add(meterEvery)
			m.tick() // a kill comes after any of these
		}
		c := b.network()
		last := netCounts{datagrams: 50 * (life + 1), again: 10 * (life + 1), naks: 5 * (life + 1), lost: 4 * (life + 1)}
		last.dropped[udp.Late], last.dropped[len(udp.Reasons())-1] = 4*(life+1), 7*(life+1)
		if c != last || b.read().net != last || b.Load64(bookOwn) != 0 || b.read().waits != 0 {
			t.Fatalf("life %d: %+v, want %+v", life, c, last)
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReportOfADemoOverUDPSaysWhatTheNetworkDid(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil || bytes.Contains(b.Bytes(), []byte(`"udp"`)) {
		t.Errorf("without UDP: %v, %s", err, b.Bytes())
	}
	feed, strategy := netCounts{datagrams: 100, again: 5}, netCounts{datagrams: 90, naks: 3, lost: 1}
	feed.dropped[udp.Misplaced], strategy.dropped[udp.Misplaced], strategy.dropped[udp.Duplicate] = 1, 2, 4
	r.UDP = &UDP{Network: namespaces}
	r.UDP.account(feed, strategy)
	b.Reset()
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var all struct {
		UDP map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"network": "namespaces", "sealed": false, "loss_percent": 0.0, "datagrams": 100.0, "arrived": 90.0, "again": 5.0,
		"naks": 3.0, "lost": 1.0} {
		if all.UDP[key] != want {
			t.Errorf("%s: %v, want %v", key, all.UDP[key], want)
		}
	}
	if d := all.UDP["dropped"].(map[string]any); len(d) != 2 || d["misplaced"] != 3.0 || d["duplicate"] != 4.0 {
		t.Errorf("%v", d)
	}
	b.Reset()
	r.judge()
	if err := r.WriteTable(&b); err != nil || !bytes.Contains(b.Bytes(), []byte("namespaces, 100 datagrams")) {
		t.Errorf("%v: %s", err, b.Bytes())
	}
}
