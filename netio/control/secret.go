package control

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"fmt"

	"github.com/alphapulse/transport/seal"
)

// Direction is a way along a link.
type Direction uint8

// The directions.
const (
	Out Direction = iota // from this node to the peer
	In                   // from the peer to this node
)

// What the derivations are for, as docs/wire.md spells it.
const (
	labelRoot    = "EXPORTER-pulse-root"
	labelRootID  = "pulse root id"
	labelChannel = "pulse channel"
)

// root is what two lives of two nodes share. The zero root is none.
type root struct {
	secret [secretSize]byte
	id     [rootIDSize]byte
}

// exportRoot takes a root from a handshake; both ends get the same.
func exportRoot(cs *tls.ConnectionState, dialled, accepted string) (r root, err error) {
	b, err := cs.ExportKeyingMaterial(labelRoot, append(named(nil, dialled), named(nil, accepted)...), secretSize)
	if err != nil {
		return r, fmt.Errorf("control: exporter: %w", err)
	}
	r.secret = [secretSize]byte(b)
	id, err := hkdf.Expand(sha256.New, r.secret[:], labelRootID, rootIDSize)
	if err != nil {
		return r, fmt.Errorf("control: root id: %w", err)
	}
	r.id = [rootIDSize]byte(id)
	return r, nil
}

func named(b []byte, name string) []byte { return append(append(b, byte(len(name))), name...) }

// channel derives the secret of a channel from one node to the other.
func (r *root) channel(from, name string) (seal.Secret, error) {
	info := named([]byte(labelChannel), from)
	b, err := hkdf.Expand(sha256.New, r.secret[:], string(append(info, name...)), secretSize)
	if err != nil {
		return seal.Secret{}, fmt.Errorf("control: channel %q: %w", name, err)
	}
	return seal.SecretOf([secretSize]byte(b)), nil
}
