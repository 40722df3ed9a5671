package trust_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/netio/trust"
)

// Two nodes of one authority meet. Each has three files, as pulse cert makes them.
func Example() {
	dir, err := os.MkdirTemp("", "trust")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ca, err := trust.NewAuthority("desk", time.Now().Add(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	ca.Write(in("ca.pem"), in("ca-key.pem"))
	open := func(node string) *trust.Identity {
		pair, err := ca.Issue([]string{node, "spiffe://desk/node/" + node}, trust.Life{Until: time.Now().Add(time.Hour)})
		if err != nil {
			panic(err)
		}
		pair.Write(in(node+".pem"), in(node+"-key.pem"))
		i, err := trust.Open(trust.Options{Cert: in(node + ".pem"), Key: in(node + "-key.pem"), CA: in("ca.pem"), Allow: []string{"spiffe://desk/node/*"}})
		if err != nil {
			panic(err)
		}
		return i
	}
	tokyo, london := open("tokyo"), open("london")
	defer tokyo.Close()
	defer london.Close()

	listener, err := tls.Listen("tcp", "127.0.0.1:0", tokyo.Server("orders/1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	config, err := london.Client("orders/1", "osaka") // but tokyo answers
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tls.Dial("tcp", listener.Addr().String(), config)
	err = london.Refused(err)
	var why *trust.Refusal
	fmt.Println(errors.As(err, &why), why.Reason)
	stats := london.Stats()
	fmt.Println(stats.Names, stats.Refusals(trust.NameNotAllowed))
	// Output:
	// true name_not_allowed
	// [london spiffe://desk/node/london] 1
}

func ExampleEvent() {
	tell := func(e trust.Event) { fmt.Println(e.Kind, e.Err) }
	tell(trust.Event{Kind: trust.Trouble, Err: fmt.Errorf("%w: certificate node.pem: it ended yesterday: renew it", trust.ErrFiles)})
	var kind trust.EventKind = trust.Reloaded
	fmt.Println(kind)
	// Output:
	// trouble trust: files: certificate node.pem: it ended yesterday: renew it
	// reloaded
}

func ExampleVouches() {
	ca, err := trust.NewAuthority("desk", time.Now().Add(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	var life trust.Life // from now
	life.Until = time.Now().Add(time.Hour)
	var pair *trust.Pair
	if pair, err = ca.Issue([]string{"spiffe://desk/node/tokyo", "tokyo-1.desk"}, life); err != nil {
		fmt.Println(err)
		return
	}
	both, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trust.Vouches(both.Leaf, "tokyo"), trust.Vouches(both.Leaf, "tokyo-1.desk"), trust.Vouches(both.Leaf, "tokyo-1"))
	// Output: true true false
}
