package control

import (
	"errors"
	"net"
	"os"

	"github.com/alphapulse/transport/netio/trust"
)

// Why a connection ended, or was not made.
var (
	ErrOptions  = errors.New("control: options")                                                     // that no link can have; the text lists all faults
	ErrSilent   = errors.New("control: nothing heard for the time of liveness")                      // the peer hangs, or the way to it is cut
	ErrReplaced = errors.New("control: the peer came by a newer connection")                         // this one was half open
	ErrEnded    = errors.New("control: the peer closed the link")                                    // by its own will; the text says why
	ErrMessage  = errors.New("control: the peer sent what no node sends")                            // the text says what
	ErrPeer     = errors.New("control: another node than its certificate or the dialling side says") // the text says which
	ErrUpdated  = errors.New("control: contracts changed here")                                      // the nodes greet again at once, and secrets stay
	ErrSlow     = errors.New("control: the peer takes no messages")                                  // too many wait for it
	ErrCrowded  = errors.New("control: as many peers as the listener remembers")                     // raise Options.Peers, or look for who comes
	ErrSecret   = errors.New("control: no secret")                                                   // not connected yet, or the channel is not agreed on
)

// cause is what an error says without the addresses in it, which change with every attempt.
func cause(err error) string {
	var r *trust.Refusal
	if errors.As(err, &r) {
		return r.Reason.String()
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

// silent turns a deadline that passed into what it means.
func silent(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSilent
	}
	return err
}
