package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/alphapulse/transport/seal"
)

func storeOf(t rapid.TB, secret seal.Secret, channel string) *seal.Store {
	s, err := seal.NewStore(secret, seal.ChannelID(channel))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func kept(body int) (b [seal.HeaderSize]byte) {
	h := seal.Header{Kind: seal.Data, Sealed: true, Suite: seal.XChaCha20Poly1305, Channel: seal.ChannelID("orders"), Source: 7, Epoch: 3,
		Length: body + seal.StoreOverhead, Seq: 42}
	h.Put(b[:])
	return b
}

func TestWhatIsStoredOpensAsOftenAsItComesAndNothingElseDoes(t *testing.T) {
	secret := seal.NewSecret()
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "body")
		header := kept(len(body))
		writer, reader := storeOf(t, secret, "orders"), storeOf(t, secret, "orders")
		sealed := make([]byte, len(body)+seal.StoreOverhead)
		if rapid.Bool().Draw(t, "in place") {
			copy(sealed[seal.StoreNonce:], body)
			if n, err := writer.Seal(sealed, header[:], sealed[seal.StoreNonce:][:len(body)]); n != len(sealed) || err != nil {
				t.Fatal(n, err)
			}
		} else if n, err := writer.Seal(sealed, header[:], body); n != len(sealed) || err != nil {
			t.Fatal(n, err)
		}
		out := make([]byte, len(body))
		for range 2 {
			if n, err := reader.Open(out, header[:], sealed); err != nil || !bytes.Equal(out[:n], body) {
				t.Fatal(n, err)
			}
		}
		refused := func(who string, r *seal.Store, header, sealed []byte) {
			if _, err := r.Open(out, header, sealed); !errors.Is(err, seal.ErrForged) {
				t.Fatalf("%s: %v", who, err)
			}
		}
		refused("another secret", storeOf(t, seal.NewSecret(), "orders"), header[:], sealed)
		refused("another channel", storeOf(t, secret, "trades"), header[:], sealed)
		other := header
		other[rapid.IntRange(0, len(other)-1).Draw(t, "byte of the header")] ^= 1
		refused("another header", reader, other[:], sealed)
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "byte")] ^= 0x80
		refused("another byte", reader, header[:], sealed)
	})
}

func TestStoreNeverUsesANonceTwice(t *testing.T) {
	s, header := storeOf(t, seal.NewSecret(), "orders"), kept(8)
	seen := map[string]bool{}
	for range 1000 {
		var b [8 + seal.StoreOverhead]byte
		if _, err := s.Seal(b[:], header[:], make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		seen[string(b[:seal.StoreNonce])] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d nonces", len(seen))
	}
}

func TestStoreRefusesWhatHasNoRoom(t *testing.T) {
	s, header := storeOf(t, seal.NewSecret(), "orders"), kept(8)
	b := make([]byte, 8+seal.StoreOverhead)
	if _, err := s.Seal(b[:len(b)-1], header[:], b[:8]); !errors.Is(err, io.ErrShortBuffer) {
		t.Error(err)
	}
	if _, err := s.Seal(b, header[:8], b[:8]); !errors.Is(err, io.ErrShortBuffer) {
		t.Error(err)
	}
	if _, err := s.Open(nil, header[:], b[:seal.StoreOverhead-1]); !errors.Is(err, seal.ErrShort) {
		t.Error(err)
	}
	if _, err := s.Open(nil, header[:], b); !errors.Is(err, io.ErrShortBuffer) {
		t.Error(err)
	}
	if _, err := seal.NewStore(seal.Secret{}, 1); !errors.Is(err, seal.ErrSecret) {
		t.Error(err)
	}
}

func TestStoreAllocatesNothing(t *testing.T) {
	s, header := storeOf(t, seal.NewSecret(), "orders"), kept(64)
	body, b, out := make([]byte, 64), make([]byte, 64+seal.StoreOverhead), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = s.Seal(b, header[:], body)
		_, _ = s.Open(out, header[:], b)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What a queue keeps is sealed by itself, each envelope with a nonce of its own.
func ExampleStore() {
	secret, channel := seal.NewSecret(), seal.ChannelID("orders")
	writer, _ := seal.NewStore(secret, channel)
	reader, _ := seal.NewStore(secret, channel)
	body := []byte("buy 100")
	h := seal.Header{Kind: seal.Data, Sealed: true, Suite: seal.XChaCha20Poly1305, Channel: channel, Source: 7, Epoch: 1,
		Length: len(body) + seal.StoreOverhead, Seq: 1}
	var header [seal.HeaderSize]byte
	h.Put(header[:])
	sealed := make([]byte, len(body)+seal.StoreOverhead)
	n, _ := writer.Seal(sealed, header[:], body)

	out := make([]byte, 64)
	m, err := reader.Open(out, header[:], sealed[:n])
	fmt.Println(string(out[:m]), err)
	// Output: buy 100 <nil>
}
