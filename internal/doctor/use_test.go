package doctor

import (
	"slices"
	"testing"

	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/topo"
)

func TestUseIsReadOffThePlan(t *testing.T) {
	load := func(file string) (*topo.Topology, *route.Plan) {
		topology, found := topo.Load("../../examples/" + file)
		plan, more := route.Resolve(topology)
		if err := append(found, more...).Err(); err != nil {
			t.Fatal(err)
		}
		return topology, plan
	}
	topology, plan := load("performance_tuned.yaml")
	u, err := UseOf(topology, plan, "trade")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(u.Cores, []int{9, 10}) || !u.XDP || len(u.Interfaces) != 1 || u.Interfaces[0] != (Interface{"eth0", 9000}) {
		t.Errorf("%+v", u)
	}
	if u.HugeBytes != 4<<20 || u.RingBytes != 4<<20+256<<10 { // ticks from the other node, and orders within
		t.Errorf("%d bytes of rings, %d of them huge", u.RingBytes, u.HugeBytes)
	}
	if len(u.Journals)+len(u.Brokers)+u.Multicast != 0 {
		t.Errorf("%+v", u)
	}
	if _, err := UseOf(topology, plan, "nowhere"); err == nil {
		t.Error("a node that is not there is used")
	}

	topology, plan = load("hybrid_mq.yaml")
	u, err = UseOf(topology, plan, "archive")
	if err != nil || !slices.Equal(u.Journals, []string{"/var/lib/pulse"}) || len(u.Brokers) != 0 || u.XDP {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestBrokersAreDialled(t *testing.T) {
	answered, errs := dialAll(t.Context(), []string{"127.0.0.1:1", listening(t)})
	if answered != 1 || len(errs) != 1 {
		t.Errorf("%d answered, %v", answered, errs)
	}
}
