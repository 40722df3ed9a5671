package netlab

import (
	"fmt"
	"net"
	"testing"
)

func TestPortsAreFreeAndGivenOnce(t *testing.T) {
	given := map[uint16]bool{}
	for range 50 {
		port := Port()
		if given[port] || port < portFirst || port >= portFirst+portCount {
			t.Fatalf("port %d, after %d others", port, len(given))
		}
		given[port] = true
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if free(uint16(l.Addr().(*net.TCPAddr).Port)) {
		t.Error("a port that somebody listens on passes for free")
	}
}
