package udp

import (
	"testing"

	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

// variants are the ways a channel can be set up that must not matter to what arrives.
func variants(t testing.TB) map[string]func() (SenderOptions, ReceiverOptions) {
	secret := seal.NewSecret()
	codec := func() seal.Codec {
		c, err := pack.New(pack.Options{Method: pack.LZ4})
		must(t, err)
		return c
	}
	return map[string]func() (SenderOptions, ReceiverOptions){
		"plain":    func() (SenderOptions, ReceiverOptions) { return SenderOptions{}, ReceiverOptions{} },
		"separate": func() (SenderOptions, ReceiverOptions) { return SenderOptions{Separate: true}, ReceiverOptions{} },
		"no offload": func() (SenderOptions, ReceiverOptions) {
			return SenderOptions{Socket: Socket{NoOffload: true}}, ReceiverOptions{Socket: Socket{NoOffload: true}}
		},
		"sealed": func() (SenderOptions, ReceiverOptions) {
			return SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}
		},
		"packed": func() (SenderOptions, ReceiverOptions) {
			return SenderOptions{Codec: codec()}, ReceiverOptions{Codec: codec()}
		},
		"sealed and packed": func() (SenderOptions, ReceiverOptions) {
			return SenderOptions{Secret: &secret, Suite: seal.ChaCha20Poly1305, Codec: codec()}, ReceiverOptions{Secret: &secret, Codec: codec()}
		},
	}
}

func TestEveryVariantCarriesEveryFrame(t *testing.T) {
	for name, options := range variants(t) {
		for _, rel := range []Reliability{BestEffort, Repaired} {
			t.Run(name+", "+rel.String(), func(t *testing.T) {
				so, ro := options()
				so.Reliability, ro.Reliability = rel, rel
				b := newBed(t, so, ro, nil)
				if so.Secret != nil && rel == BestEffort { // what is sent before the session is open is lost
					b.until("session", func() bool { return len(b.recv.streams) > 0 })
				}
				total := uint64(0)
				for _, size := range []int{9, 48, 64, 100, 700, 1400, 1456, 1457, 5000, 40000} {
					b.publish(40, size)
					total += 40
					b.until("delivery", func() bool { return uint64(len(b.got)) == total })
				}
				b.verify(1, total, false)
				if s := b.recv.Stats(); s.Frames != total || rel == BestEffort && s.Lost != 0 {
					t.Errorf("receiver: %+v", s)
				}
				b.until("drained", b.send.Drained)
			})
		}
	}
}
