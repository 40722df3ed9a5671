package udp

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// A channel that is Agreed opens sealed, with a secret that nobody has, and is given those of its nodes when they have agreed. A sender without
// one has no rings: nothing is read, so nothing is released, and publishers of a best-effort channel are not held up. A receiver has one for
// each node that it is sent to by, since each pair of nodes has secrets of its own.

// nobodys is a secret that opens nothing there is.
func nobodys() *seal.Secret {
	s := seal.NewSecret()
	return &s
}

// Key has the channel's sender seal with out, and its receiver believe in of this node. Once it returns, nothing leaves that is sealed with
// another secret, but for what the kernel has.
func (w *way) Key(channel string, out, in *seal.Secret) error {
	w.ways.mu.Lock()
	defer w.ways.mu.Unlock()
	var faults []error
	if o := w.outlets[channel]; o != nil && w.agreed(channel) {
		faults = append(faults, o.key(out))
	}
	i := slices.IndexFunc(w.takes, func(one *inlet) bool { return one.exchange.Channel == channel && one.exchange.Agreed })
	if i >= 0 {
		faults = append(faults, w.takes[i].key(w.far.Node, in))
	}
	return errors.Join(faults...)
}

func (w *way) agreed(channel string) bool {
	return slices.ContainsFunc(w.far.Exchanges, func(e netio.Exchange) bool { return e.Channel == channel && e.Agreed })
}

// key gives the sender a secret and its rings, or takes both away.
func (o *outlet) key(secret *seal.Secret) (err error) {
	o.ways.crew.Between(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		switch {
		case secret == nil:
			err = o.silence()
		case o.mute || !o.options.Secret.Equal(*secret):
			err = o.speak(*secret)
		}
	})
	return err
}

// speak turns to a secret, and begins to carry what waited for one: all of it, or it says why not, is mute as before, and is given the secret again.
func (o *outlet) speak(secret seal.Secret) error {
	if err := o.SetSecret(secret); err != nil {
		return err
	}
	o.turnSecret()
	if !o.mute {
		return nil
	}
	for i, r := range o.rings {
		if err := o.Sender.Add(r); err != nil {
			faults := []error{err}
			for _, taken := range o.rings[:i] {
				_, err := o.Sender.Remove(taken)
				faults = append(faults, err)
			}
			return errors.Join(faults...)
		}
	}
	o.mute, o.since, o.heard = false, time.Now(), false
	return nil
}

// silence lets go of the rings: what is not confirmed stays in them. Datagrams that the kernel did not take are given up.
func (o *outlet) silence() error {
	if o.mute {
		return nil
	}
	o.mute, o.options.Secret = true, nobodys()
	var faults []error
	for _, r := range o.rings {
		_, err := o.Sender.Remove(r)
		faults = append(faults, err)
	}
	for _, w := range o.wires {
		if w.medium == nil && w.datagrams > 0 {
			o.drop(Unsendable, uint64(w.batch.Unsent()))
			w.reset()
		}
	}
	o.abandon()
	return errors.Join(faults...)
}

// key has the receiver believe a secret of a node, or none.
func (in *inlet) key(node string, secret *seal.Secret) (err error) {
	if secret == nil {
		delete(in.secrets, node)
	} else {
		in.secrets[node] = *secret
	}
	in.ways.crew.Between(func() { err = in.turn() })
	return err
}

// turn has the receiver open with the secrets of nodes. It belongs to the loop.
func (in *inlet) turn() error {
	all := slices.Collect(maps.Values(in.secrets))
	if len(all) == 0 {
		all = append(all, *nobodys())
	}
	err := in.SetSecrets(all...)
	in.turnSecrets()
	return err
}

// disbelieve forgets the secret of a node that has no way with the channel any more.
func (in *inlet) disbelieve(node string) {
	_, had := in.secrets[node]
	if !had || slices.ContainsFunc(in.fars, func(f netio.Far) bool { return f.Node == node }) {
		return
	}
	delete(in.secrets, node)
	_ = in.turn() // fewer of those that were good
}
