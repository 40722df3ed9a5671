package topo

import (
	"testing"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/tlv"
)

// What the tables repeat of other packages is what those say.
func TestTablesAgreeWithRingAndTLV(t *testing.T) {
	if maxRing != ring.MaxCapacity || builtIn("a").RingBytes != ring.DefaultCapacity {
		t.Errorf("rings of up to %d bytes, %d built in", maxRing, builtIn("a").RingBytes)
	}
	for _, d := range []tlv.Domain{tlv.MarketData, tlv.Signal, tlv.Execution, tlv.System} {
		name := spelling(domains, d)
		tp, found := parse("channels: {a: {domain: " + name + "}}")
		if len(found) > 0 || tp.Channels[0].Domain != d || fold(name) != fold(d.String()) {
			t.Errorf("%s is %s: %s", d, name, report(found))
		}
	}
}
