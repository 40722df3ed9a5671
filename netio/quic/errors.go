package quic

import (
	"context"
	"errors"
	"fmt"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/netio/link"
)

// ErrRefused: one side does not believe the other. The text says which and why; who is named there mends certificates or names.
var ErrRefused = errors.New("quic: refused")

var (
	errClosing  = errors.New("the link is closed")
	errReplaced = errors.New("the node connected anew")
	errOlder    = errors.New("a later life of the node is connected")
	errEarly    = errors.New("came before the handshake was over, and the channel allows no repeats")
	errCrowd    = errors.New("too many connections: raise ListenOptions.Connections, or look for who connects there")
)

// Codes with which a connection is closed. The text beside them is for people.
const (
	codeClosing quic.ApplicationErrorCode = iota
	codeReplaced
	codeRefused
	codeBroken
)

// saidMost is how much of a reason is told to the other node.
const saidMost = 200

// said is what the other node is told.
func said(why error) (quic.ApplicationErrorCode, string) {
	code := codeBroken
	switch {
	case why == nil, errors.Is(why, errClosing), errors.Is(why, context.Canceled):
		return codeClosing, ""
	case errors.Is(why, errReplaced):
		code = codeReplaced
	case errors.Is(why, ErrRefused), errors.Is(why, errOlder), errors.Is(why, link.ErrStranger):
		code = codeRefused
	}
	text := why.Error()
	return code, text[:min(len(text), saidMost)]
}

// alerts of TLS (RFC 8446, 6.2) that a node sends when it does not believe the other one, by the QUIC error code that carries them.
var alerts = map[quic.TransportErrorCode]string{
	0x100 + 42:  "it does not believe this node's certificate: its operator looks at who may connect",
	0x100 + 44:  "it takes this node's certificate for withdrawn",
	0x100 + 45:  "this node's certificate is expired, or not valid yet: renew it, or set the clock",
	0x100 + 46:  "it does not believe this node's certificate",
	0x100 + 48:  "it does not know the authority of this node's certificate: both need the same CA file",
	0x100 + 116: "this node shows no certificate: set one",
	0x100 + 120: "it speaks another protocol at this port",
}

// explain says what a connection's end means. The library's errors stay in the chain.
func explain(err error) error {
	var (
		app    *quic.ApplicationError
		tran   *quic.TransportError
		idle   *quic.IdleTimeoutError
		shake  *quic.HandshakeTimeoutError
		remote string
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errClosing), errors.Is(err, context.Canceled) && !errors.As(err, &app):
		return errClosing
	case errors.As(err, &app) && app.Remote:
		switch {
		case app.ErrorCode == codeClosing && app.ErrorMessage == "":
			return fmt.Errorf("the other node closed the link (%w)", err)
		case app.ErrorCode == codeRefused:
			return fmt.Errorf("%w by the other node: %q (%w)", ErrRefused, app.ErrorMessage, err)
		}
		return fmt.Errorf("the other node ended the connection: %q (%w)", app.ErrorMessage, err)
	case errors.As(err, &tran) && tran.ErrorCode.IsCryptoError():
		if remote = alerts[tran.ErrorCode]; tran.Remote && remote != "" {
			return fmt.Errorf("%w by the other node: %s (%w)", ErrRefused, remote, err)
		}
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.As(err, &idle):
		return fmt.Errorf("%w (%w)", link.ErrSilent, err)
	case errors.As(err, &shake):
		return fmt.Errorf("nobody shakes hands there: is the node up, and does UDP get through? (%w)", err)
	}
	return err
}
