package udp

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/seal"
)

// TestSecretsTurnUnderLoadWithoutLoss turns a repaired channel to another secret again and again while frames flow over a network that
// reorders, as a group does: receivers first, then the sender, then the old one is forgotten.
func TestSecretsTurnUnderLoadWithoutLoss(t *testing.T) {
	now := seal.NewSecret()
	via, _ := relay(t, 9, "reorder=2%,dup=1%,jitter=500us", "loss=0%")
	b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &now}, ReceiverOptions{Reliability: Repaired, Secret: &now}, via)
	total := uint64(0)
	flow := func(d time.Duration) {
		for began := time.Now(); time.Since(began) < d; b.step() {
			if b.pub.Seq()-uint64(len(b.got)) < 2000 {
				b.publish(10, 200)
				total += 10
			}
		}
	}
	flow(20 * time.Millisecond)
	for range 4 {
		last, next := now, seal.NewSecret()
		must(t, b.recv.SetSecrets(last, next))
		flow(10 * time.Millisecond)
		must(t, b.send.SetSecret(next))
		flow(30 * time.Millisecond)
		must(t, b.recv.SetSecrets(next))
		flow(10 * time.Millisecond)
		now = next
		for _, s := range b.recv.all {
			if one := &s.sessions[0]; one.opener != nil && !one.secret.Equal(next) {
				t.Error("a session of a secret that is out of use is open")
			}
		}
	}
	b.until("delivery", func() bool { return uint64(len(b.got)) == total })
	b.verify(1, total, false)
	if s := b.recv.Stats(); s.Lost != 0 {
		t.Errorf("receiver: %+v", s)
	}
}

// TestASecretOutOfUseOpensNothing: a sender that goes on with it is not believed any more, and is again once it has turned.
func TestASecretOutOfUseOpensNothing(t *testing.T) {
	now, next := seal.NewSecret(), seal.NewSecret()
	b := newBed(t, SenderOptions{Reliability: Repaired, Secret: &now}, ReceiverOptions{Reliability: Repaired, Secret: &now}, nil)
	b.publish(10, 100)
	b.until("delivery", func() bool { return len(b.got) == 10 })
	must(t, b.recv.SetSecrets(next))
	for began := time.Now(); time.Since(began) < 2*choresEvery; {
		b.step()
	}
	b.publish(10, 100)
	for began := time.Now(); time.Since(began) < 100*time.Millisecond; {
		b.step()
	}
	if s := b.recv.Stats(); len(b.got) != 10 || s.Drops(NoSession) == 0 {
		t.Fatalf("%d messages, %+v", len(b.got), s)
	}
	must(t, b.send.SetSecret(next))
	b.until("delivery", func() bool { return len(b.got) == 20 })
	b.verify(1, 20, false)
}

func TestSecretsThatCannotBeAreRefused(t *testing.T) {
	secret := seal.NewSecret()
	b := newBed(t, SenderOptions{}, ReceiverOptions{}, nil)
	if err := b.send.SetSecret(secret); !errors.Is(err, ErrOptions) {
		t.Error("of a sender that seals nothing:", err)
	}
	if err := b.recv.SetSecrets(secret); !errors.Is(err, ErrOptions) {
		t.Error("of a receiver that opens nothing:", err)
	}
	c := newBed(t, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}, nil)
	if err := c.send.SetSecret(seal.Secret{}); !errors.Is(err, seal.ErrSecret) {
		t.Error(err)
	}
	for _, bad := range [][]seal.Secret{nil, slices.Repeat([]seal.Secret{secret}, MaxSecrets+1)} {
		if err := c.recv.SetSecrets(bad...); !errors.Is(err, ErrOptions) {
			t.Error(err)
		}
	}
	if err := c.recv.SetSecrets(seal.Secret{}); !errors.Is(err, seal.ErrSecret) {
		t.Error(err)
	}
}
