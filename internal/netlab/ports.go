package netlab

import (
	"net"
	"net/netip"
	"os"
	"sync"
)

// The ports that Port gives are below those that Linux gives by itself (ip_local_port_range: 32768 and up), so that no connection
// and no listener on port 0 takes one between Port and its use.
const (
	portFirst = 10_000
	portCount = 22_000
	portApart = 64 // two processes begin this far from each other, so that they seldom try the same ones
)

var ports struct {
	sync.Mutex
	tried int
}

// Port returns a port of 127.0.0.1 that nobody has now, for TCP or UDP, and that this process was not given before. It panics when all
// 22000 are taken or given.
func Port() uint16 {
	ports.Lock()
	defer ports.Unlock()
	for ports.tried < portCount {
		port := uint16(portFirst + (os.Getpid()*portApart+ports.tried)%portCount)
		ports.tried++
		if free(port) {
			return port
		}
	}
	panic("netlab: no port of 127.0.0.1 is free")
}

func free(port uint16) bool {
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return false
	}
	return c.Close() == nil
}
