package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func announced(t *testing.T, secret Secret) (header, body []byte, a Announce) {
	t.Helper()
	a = Announce{Nonce: NewNonce(), Salt: NewSalt(), Key: 300, Packet: 1 << 40, Suite: BestSuite()}
	header = sealedHeader(0)
	body, err := AppendAnnounce(nil, secret, header, a)
	if err != nil || len(body) != AnnounceSize {
		t.Fatal(len(body), err)
	}
	return header, body, a
}

func TestAnnounceOpensForWhomItAnswers(t *testing.T) {
	secret := NewSecret()
	header, body, a := announced(t, secret)
	if got, err := OpenAnnounce(secret, header, body, a.Nonce); err != nil || got != a {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := OpenAnnounce(secret, header, body, NewNonce()); err != ErrReplayed {
		t.Errorf("another nonce: %v", err)
	}
	if _, err := OpenAnnounce(NewSecret(), header, body, a.Nonce); err != ErrForged {
		t.Errorf("another secret: %v", err)
	}
	if _, err := OpenAnnounce(Secret{}, header, body, a.Nonce); !errors.Is(err, ErrSecret) {
		t.Errorf("no secret: %v", err)
	}
	for n := range body {
		if _, err := OpenAnnounce(secret, header, body[:n], a.Nonce); err != ErrBody {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if _, err := OpenAnnounce(secret, header[1:], body, a.Nonce); err != ErrShort {
		t.Errorf("short header: %v", err)
	}
}

func TestEveryFlippedBitOfAnAnnounceIsRefused(t *testing.T) {
	secret := NewSecret()
	header, body, a := announced(t, secret)
	for i := range 8 * (len(header) + len(body)) {
		h, b, want := bytes.Clone(header), bytes.Clone(body), ErrForged
		if i < 8*len(h) {
			h[i/8] ^= 1 << (i % 8)
		} else {
			at := i/8 - len(h)
			b[at] ^= 1 << (i % 8)
			if at < len(a.Nonce) {
				want = ErrReplayed
			}
		}
		if _, err := OpenAnnounce(secret, h, b, a.Nonce); err != want {
			t.Fatalf("bit %d: %v, want %v", i, err, want)
		}
	}
}

func TestAnnounceOfALaterBuildIsRefusedByName(t *testing.T) {
	secret, header, nonce := NewSecret(), sealedHeader(0), NewNonce()
	for want, change := range map[error]func(b []byte){
		ErrSuite: func(b []byte) { b[suiteAt] = 9 },
		ErrBody:  func(b []byte) { b[announceMacAt-1] = 1 },
	} {
		body := append(bytes.Clone(nonce[:]), make([]byte, announceMacAt-len(nonce))...)
		body[suiteAt] = byte(AES128GCM)
		change(body)
		mac, err := announceMac(secret, header, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAnnounce(secret, header, append(body, mac...), nonce); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := AppendAnnounce(nil, secret, header, Announce{}); !errors.Is(err, ErrSuite) {
		t.Error(err)
	}
	if _, err := AppendAnnounce(nil, secret, header[1:], Announce{Suite: 1}); err != io.ErrShortBuffer {
		t.Error(err)
	}
	if _, err := AppendAnnounce(nil, Secret{}, header, Announce{Suite: 1}); !errors.Is(err, ErrSecret) {
		t.Error(err)
	}
}

func TestHelloIsReadAsWritten(t *testing.T) {
	h := Hello{Nonce: NewNonce()}
	b := AppendHello([]byte("kept"), h)[4:]
	if got, err := ParseHello(b); err != nil || got != h {
		t.Fatalf("%+v, %v", got, err)
	}
	if HelloSize < AnnounceSize {
		t.Error("a hello is smaller than its answer")
	}
	for n := range b {
		if _, err := ParseHello(b[:n]); err != ErrBody {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if _, err := ParseHello(append(bytes.Clone(b), 0)); err != ErrBody {
		t.Errorf("grown: %v", err)
	}
	for i := len(h.Nonce); i < HelloSize; i++ {
		bad := bytes.Clone(b)
		bad[i] = 0x80
		if _, err := ParseHello(bad); err != ErrBody {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}
