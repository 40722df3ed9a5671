package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
)

// session is one connection to the broker and one channel on it.
type session struct {
	conn    *amqp.Connection
	ch      *amqp.Channel
	line    *line
	blocked atomic.Bool         // the broker reads nothing, and says so
	changed chan struct{}       // blocked did
	ended   chan struct{}       // closed when either end is closed, after why is written
	why     error               // nil: closed by us
	blocks  chan amqp.Blocking  // drained by watch
	closes  [2]chan *amqp.Error // of the connection, of the channel
}

// dial connects. Files are read anew, so that they may change, and so is the configuration made: the library changes it.
func (o *Options) dial(what string) (*session, error) {
	s := &session{changed: make(chan struct{}, 1), ended: make(chan struct{})}
	c := amqp.Config{Heartbeat: o.Heartbeat, Properties: amqp.NewConnectionProperties(), Dial: func(network, addr string) (net.Conn, error) {
		conn, err := net.DialTimeout(network, addr, o.Patience)
		if err != nil {
			return nil, err
		}
		s.line = &line{Conn: conn, patience: o.Patience, held: &s.blocked}
		return s.line, conn.SetDeadline(time.Now().Add(o.Patience)) // the library ends it after its handshake
	}}
	c.Properties.SetClientConnectionName("pulse " + o.Name + " " + what)
	if o.password != nil {
		c.SASL = []amqp.Authentication{&amqp.PlainAuth{Username: o.User, Password: o.password()}}
	}
	if o.PasswordFile != "" {
		text, err := readFile(o.PasswordFile, true)
		if err != nil {
			return nil, fmt.Errorf("rabbitmq: %w: %w", mqadapt.ErrOptions, err)
		}
		c.SASL = []amqp.Authentication{&amqp.PlainAuth{Username: o.User, Password: strings.TrimRight(string(text), "\r\n")}}
	}
	if strings.HasPrefix(o.URL, "amqps:") {
		var err error
		if c.TLSClientConfig, err = o.tls(); err != nil {
			return nil, fmt.Errorf("rabbitmq: %w: %w", mqadapt.ErrOptions, err)
		}
	}
	var err error
	if s.conn, err = amqp.DialConfig(o.URL, c); err != nil {
		if s.line != nil {
			err = errors.Join(o.explain("connection", err), unlessClosed(s.line.Close()))
			return nil, err
		}
		return nil, o.explain("connection", err)
	}
	err = o.speaks(s.conn.Properties)
	if err == nil {
		if s.ch, err = s.conn.Channel(); err != nil {
			err = o.explain("connection", err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.conn.CloseDeadline(time.Now().Add(o.Patience)))
	}
	s.blocks = s.conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	s.closes = [2]chan *amqp.Error{s.conn.NotifyClose(make(chan *amqp.Error, 2)), s.ch.NotifyClose(make(chan *amqp.Error, 2))}
	go s.watch(o)
	return s, nil
}

// watch follows what the broker says beside answers, until the connection ends. It always takes: the library waits for it.
func (s *session) watch(o *Options) {
	end := func(e *amqp.Error) {
		if e != nil {
			s.why = o.explain("connection", e)
		}
		s.blocked.Store(false)
		close(s.ended)
	}
	for {
		select {
		case b, ok := <-s.blocks:
			if !ok {
				s.blocks = nil
				continue
			}
			s.blocked.Store(b.Active)
			select {
			case s.changed <- struct{}{}:
			default:
			}
		case e := <-s.closes[1]: // of a channel that the broker closed the connection lives on
			if e == nil { // of both ends the connection's has the reason
				e = <-s.closes[0]
			}
			end(e)
			return
		case e := <-s.closes[0]:
			end(e)
			return
		}
	}
}

// close ends the connection, with the broker's knowledge if it answers within a bound.
func (s *session) close(within time.Duration) {
	closed := make(chan struct{})
	go func() {
		_ = s.conn.Close() // it may have ended itself
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(within):
		_ = s.line.Close()
		<-closed
	}
}

// hurry ends a connection whose broker does not answer within patience, until it is called off: the library waits for answers without end.
func (s *session) hurry(o *Options) (calledOff func()) {
	t := time.AfterFunc(o.Patience, func() { _ = s.line.Close() })
	return func() { t.Stop() }
}

// line is the broker's socket. A broker that does not read for longer than patience is gone, unless it has said that it does not read.
type line struct {
	net.Conn
	patience time.Duration
	held     *atomic.Bool
}

// Write writes all of b.
func (l *line) Write(b []byte) (n int, err error) {
	for {
		if err := l.SetWriteDeadline(time.Now().Add(l.patience)); err != nil {
			return n, err
		}
		k, err := l.Conn.Write(b[n:])
		if n += k; err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !l.held.Load() {
			return n, err
		}
	}
}

// tls is what an amqps:// connection is held to. TLS 1.2 is the oldest: brokers live longer than we like.
func (o *Options) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		text, err := readFile(o.CA, false)
		if err != nil {
			return nil, err
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("CA %s holds no certificate", o.CA)
		}
	}
	if o.Cert != "" {
		cert, err := readFile(o.Cert, false)
		if err != nil {
			return nil, err
		}
		key, err := readFile(o.Key, true)
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", o.Cert, o.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// readFile reads a small file; a secret one only when it is its owner's alone. The open file is asked, not the name.
func readFile(path string, secret bool) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > mostFile:
		return nil, fmt.Errorf("%s is no regular file of at most %d bytes", path, mostFile)
	case secret && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: its mode %#o lets others at it: chmod 600 %s, and replace what is in it", path, info.Mode().Perm(), path)
	}
	return io.ReadAll(io.LimitReader(f, mostFile))
}

func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// endError is why a consumer has no more deliveries. A queue that is deleted ends them and leaves the connection alone.
func (s *session) endError(q *Queue) error {
	select {
	case <-s.ended:
	case <-time.After(q.options.Patience):
		return fmt.Errorf("rabbitmq: %s at %s: %w: the broker cancelled the consumer: its queue is gone", q.options.Name, q.options.host(), ErrMissing)
	}
	if s.why == nil {
		return q.overError()
	}
	return s.why
}
