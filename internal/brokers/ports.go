package brokers

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports of brokers lie below those that the kernel gives to outgoing connections, so that a broker which is started again still finds its own.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// freePorts finds n ports of loopback that nobody has.
func freePorts(n int) (ports []int, err error) {
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("brokers: %w", err)
		}
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("brokers: no %d free ports from %d to %d", n, lowestPort, highestPort)
}
