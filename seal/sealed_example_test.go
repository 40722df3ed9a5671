package seal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/seal"
)

func ExampleSealer() {
	secret := seal.NewSecret() // both ends: seal.LoadSecret
	session := seal.Session{Channel: 0x1234, Source: 7, Epoch: 1, Path: 0}
	sender, err := seal.NewSealer(secret, seal.BestSuite(), session, seal.Limits{Time: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A receiver that knows nothing but the secret asks, and the sender answers.
	hello := seal.Hello{Nonce: seal.NewNonce()}
	asked, _ := seal.ParseHello(seal.AppendHello(nil, hello))
	header := make([]byte, 32)
	answer, _ := seal.AppendAnnounce(nil, secret, header, sender.Announce(asked.Nonce))
	a, err := seal.OpenAnnounce(secret, header, answer, hello.Nonce)
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver, err := seal.NewOpener(secret, a.Suite, session, a.Salt, seal.Window{Key: a.Key, Packet: a.Packet})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Once per batch Next, once per envelope Seal.
	now := 5 * time.Second
	body := []byte("a batch of records")
	sealed := make([]byte, len(body)+seal.Overhead)
	header[3], _ = sender.Next(now)
	_, _ = sender.Seal(sealed, header, body)

	n, err := receiver.Open(body, header, sealed, header[3], now)
	fmt.Printf("%s, %v\n", body[:n], err)
	_, err = receiver.Open(body, header, sealed, header[3], now)
	fmt.Println(err)
	// Output:
	// a batch of records, <nil>
	// replayed
}

func ExampleAnnounce() {
	secret, header, nonce := seal.NewSecret(), make([]byte, 32), seal.NewNonce()
	body, err := seal.AppendAnnounce(nil, secret, header,
		seal.Announce{Nonce: nonce, Salt: seal.NewSalt(), Key: 3, Packet: 4_000, Suite: seal.AES128GCM})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := seal.OpenAnnounce(secret, header, body, nonce)
	fmt.Println(a.Key, a.Packet, a.Suite, err)
	_, err = seal.OpenAnnounce(secret, header, body, seal.NewNonce()) // somebody replays it to another hello
	fmt.Println(errors.Is(err, seal.ErrReplayed))
	// Output:
	// 3 4000 aes-128-gcm <nil>
	// true
}

func ExampleBackSealer() {
	secret, salt, receiver := seal.NewSecret(), seal.NewSalt(), seal.NewReceiver()
	session := seal.Session{Channel: 0x1234, Source: 7, Epoch: 1}
	back, err := seal.NewBackSealer(secret, seal.ChaCha20Poly1305, session, salt, receiver)
	if err != nil {
		fmt.Println(err)
		return
	}
	opener, err := seal.NewBackOpener(secret, seal.ChaCha20Poly1305, session, salt, receiver)
	if err != nil {
		fmt.Println(err)
		return
	}
	header, body := make([]byte, 32), []byte("17 to 19 are missing")
	sealed := make([]byte, len(body)+seal.Overhead)
	_, _ = back.Seal(sealed, header, body)
	n, err := opener.Open(body, header, sealed)
	fmt.Printf("%s, %v\n", body[:n], err)
	// Output: 17 to 19 are missing, <nil>
}

// A BackOpener refuses what another receiver sealed.
func ExampleBackOpener() {
	secret, salt, session := seal.NewSecret(), seal.NewSalt(), seal.Session{Channel: 0x1234, Source: 7, Epoch: 1}
	back, _ := seal.NewBackSealer(secret, seal.AES128GCM, session, salt, 1)
	opener, _ := seal.NewBackOpener(secret, seal.AES128GCM, session, salt, 2)
	header, sealed := make([]byte, 32), make([]byte, seal.Overhead)
	_, _ = back.Seal(sealed, header, nil)
	_, err := opener.Open(nil, header, sealed)
	fmt.Println(err)
	// Output: forged
}

func ExampleReplay() {
	var r seal.Replay
	for _, n := range []uint64{1, 3, 2, 3, 100_000, 4} {
		if r.Check(n) { // and once the packet has proved authentic:
			r.Commit(n)
			fmt.Println(n, "is new")
		} else {
			fmt.Println(n, "is refused")
		}
	}
	// Output:
	// 1 is new
	// 3 is new
	// 2 is new
	// 3 is refused
	// 100000 is new
	// 4 is refused
}

func ExampleSecret() {
	dir, err := os.MkdirTemp("", "secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "prices.secret")
	fmt.Println(seal.NewSecret().Write(path)) // pulse keygen prices.secret
	secret, err := seal.LoadSecret(path)
	fmt.Println(secret, err)
	_ = os.Chmod(path, 0o644)
	_, err = seal.LoadSecret(path)
	fmt.Println(errors.Is(err, seal.ErrSecret))
	// Output:
	// <nil>
	// seal.Secret(redacted) <nil>
	// true
}

func ExampleParseSuite() {
	s, err := seal.ParseSuite("chacha20-poly1305")
	fmt.Println(s, uint8(s), err)
	// Output: chacha20-poly1305 1 <nil>
}
