package control_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/netio/control"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/seal"
)

// certified makes identities of one authority, as pulse cert does.
func certified(nodes ...string) (all []*trust.Identity, remove func(), err error) {
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		return nil, nil, err
	}
	remove = func() {
		for _, i := range all {
			i.Close()
		}
		os.RemoveAll(dir)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	ca, err := trust.NewAuthority("desk", time.Now().Add(time.Hour))
	if err != nil {
		return nil, remove, err
	}
	if err := ca.Write(in("ca.pem"), in("ca-key.pem")); err != nil {
		return nil, remove, err
	}
	for _, n := range nodes {
		pair, err := ca.Issue([]string{n}, trust.Life{Until: time.Now().Add(time.Hour)})
		if err != nil {
			return all, remove, err
		}
		if err := pair.Write(in(n+".pem"), in(n+"-key.pem")); err != nil {
			return all, remove, err
		}
		i, err := trust.Open(trust.Options{Cert: in(n + ".pem"), Key: in(n + "-key.pem"), CA: in("ca.pem"), Allow: []string{"*"}})
		if err != nil {
			return all, remove, err
		}
		all = append(all, i)
	}
	return all, remove, nil
}

// Two nodes meet: one channel is agreed on, of the other they mean different things.
func Example() {
	who, remove, err := certified("tokyo", "london")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	listener, err := control.Listen(control.Options{Node: "tokyo", Identity: who[0], Contracts: []link.Contract{
		{Name: "signals", Takes: true, Largest: 4096},
		{Name: "orders", Takes: true, Largest: 1024},
	}}, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()

	events := make(chan control.Event, 16)
	dialled, err := control.Dial(control.Options{Node: "london", Identity: who[1], Events: func(e control.Event) { events <- e }, Contracts: []link.Contract{
		{Name: "signals", Sends: true, Largest: 4096},
		{Name: "orders", Sends: true, Largest: 4096},
	}}, "tokyo", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dialled.Close()
	e := <-events
	fmt.Println(e.Kind, e.Channel, e.Fields)
	e = <-events
	fmt.Println(e.Kind, e.Peer, e.Fresh, dialled.Channels())

	secret, err := dialled.Secret("signals", control.Out) // tokyo has the same, as In
	fmt.Println(secret, err)
	_, err = dialled.Secret("orders", control.Out)
	fmt.Println(err)
	stats, there := dialled.Stats(), listener.Stats()
	fmt.Println(stats.Connects, there.Peers)
	var o control.Offset = stats.Offset // zero until beats were answered
	fmt.Println(o.Error < time.Second)
	// Output:
	// refused orders [largest: here 4096, there 1024]
	// connected tokyo true [signals]
	// seal.Secret(redacted) <nil>
	// control: no secret: channel "orders": it is not agreed on with node "tokyo"
	// 1 1
	// true
}

// A publisher's node hands out the secret of a multicast group and turns to the next when it is asked to, or when a member leaves.
func ExampleGroups() {
	groups, err := control.NewGroups(control.GroupOptions{
		Channels: []string{"ticks"},
		Turn: func(channel string, number uint64, _ seal.Secret) {
			fmt.Println("seal", channel, "with secret", number)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer groups.Close()
	number, secret, err := groups.Secret("ticks")
	fmt.Println(number, secret, err)
	if err := groups.Renew("ticks"); err != nil { // without members nothing is waited for
		fmt.Println(err)
	}
	var all []control.GroupStats = groups.Stats()
	fmt.Println(all[0].Channel, all[0].Number, all[0].Members)
	// Output:
	// 1 seal.Secret(redacted) <nil>
	// seal ticks with secret 2
	// ticks 2 0
}
