package route

import (
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/route/topo"
)

// TestACarriageFileResolvesAsItsCommentsSay: a file that says how channels travel and has no actors yet.
func TestACarriageFileResolvesAsItsCommentsSay(t *testing.T) {
	top, findings := topo.Load("topo/testdata/carriage.yaml")
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	p := plan(t, top)
	for name, want := range map[string]string{
		"market_data":     "market_data anywhere → anywhere: udp, unencrypted [explicit]",
		"trading_signals": "trading_signals anywhere → anywhere: tcp, tls, lz4 [explicit]",
		"order_execution": "order_execution anywhere → anywhere: tcp, tls; then queue rabbitmq, chacha20_poly1305, adaptive; recorded in the queue [explicit]",
		"audit_trail":     "audit_trail anywhere → anywhere: queue rabbitmq, unencrypted, adaptive [explicit]",
		"analytics":       "analytics anywhere → anywhere: tcp, tls [default]",
	} {
		d := p.Find(name, "", "")
		if len(d) != 1 || d[0].String() != want {
			t.Errorf("%v, not %s", d, want)
			continue
		}
		wantWhole(t, d[0])
	}
	if d := p.Find("audit_trail", "", "")[0]; d.Primary.RoutingKey != "audit.trail" || d.Durability != QueueDisk {
		t.Errorf("%+v", d.Primary)
	}
}

func TestExamplesResolveWithoutErrors(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		top, findings := topo.Load(f)
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		p := plan(t, top)
		if len(p.Channels) != len(top.Channels) {
			t.Errorf("%s: %d channels, %d planned", f, len(top.Channels), len(p.Channels))
		}
		for _, d := range p.Find("", "", "") {
			wantWhole(t, d)
		}
	}
}
