package prom

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Socket is what the socket is called that a node answers at by default, in its directory of stats files.
const Socket = "node.sock"

const (
	headerMost = 5 * time.Second
	idleMost   = time.Minute
	bytesMost  = 16 << 10 // of a request's header
	dialMost   = time.Second
)

// Listen opens ADDRESS:PORT, or unix:PATH. A socket that a dead process left is replaced; one that answers is refused.
func Listen(at string) (net.Listener, error) {
	path, ok := strings.CutPrefix(at, "unix:")
	if !ok {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return nil, fmt.Errorf("prom: listen at %s: %w", at, err)
		}
		return l, nil
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		c, e := net.DialTimeout("unix", path, dialMost)
		if e == nil {
			return nil, errors.Join(fmt.Errorf("prom: %s: another process answers there", path), c.Close())
		}
		if s, e := os.Lstat(path); e == nil && s.Mode().Type() == fs.ModeSocket {
			if err = os.Remove(path); err == nil {
				l, err = net.Listen("unix", path)
			}
		}
	}
	if err == nil {
		if err = os.Chmod(path, 0o600); err != nil {
			err = errors.Join(err, l.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err) // it names the path
	}
	return l, nil
}

// Open reports whether others than this machine's processes reach a listener.
func Open(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}

// Serve answers at l until ctx ends, and closes it.
func Serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: headerMost, IdleTimeout: idleMost, MaxHeaderBytes: bytesMost}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("prom: %w", err)
	case <-ctx.Done():
		err := s.Close() // nobody waits for a scrape that is under way
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}
}
