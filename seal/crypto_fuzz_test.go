package seal

import (
	"bytes"
	"testing"
	"time"
)

// fuzzSecret seals what the fuzzers know; everything else is forged.
var fuzzSecret = SecretOf([secretSize]byte(counting(1, secretSize)))

func FuzzOpenSealed(f *testing.F) {
	bodies := []string{"", "one", "two of key 1", "three of key 2"}
	genuine := map[string]string{} // header and sealed bytes → body
	var openers []*Opener
	for _, suite := range suites {
		s, err := newSealer(fuzzSecret, suite, sealedSession, Salt{1}, Limits{})
		if err != nil {
			f.Fatal(err)
		}
		o, err := NewOpener(fuzzSecret, suite, sealedSession, Salt{1}, Window{Reorder: time.Second})
		if err != nil {
			f.Fatal(err)
		}
		openers = append(openers, o)
		for i, body := range bodies {
			if i > 1 {
				if err := s.Rotate(); err != nil {
					f.Fatal(err)
				}
			}
			header, sealed := sealedHeader(byte(s.key.number)), make([]byte, len(body)+Overhead)
			if _, err := s.Seal(sealed, header, []byte(body)); err != nil {
				f.Fatal(err)
			}
			genuine[string(header)+string(sealed)] = body
			f.Add(header, sealed, header[keyEpochAt], uint16(i))
		}
	}
	f.Add([]byte{}, []byte{}, uint8(0), uint16(0))
	f.Add(sealedHeader(1), make([]byte, Overhead), uint8(1), uint16(9))
	f.Fuzz(func(t *testing.T, header, sealed []byte, epoch uint8, room uint16) {
		dst := make([]byte, max(int(room), len(sealed)))
		for _, shared := range openers {
			o := *shared // each input meets the session as it began
			kept := bytes.Clone(sealed)
			n, err := o.Open(dst, header, sealed, epoch, 0)
			if !bytes.Equal(kept, sealed) {
				t.Fatal("what arrived was changed")
			}
			if err != nil {
				if n != 0 || o.window != shared.window || o.current != shared.current {
					t.Fatalf("%d bytes of a refused packet, or it moved the session: %v", n, err)
				}
				continue
			}
			if body, ok := genuine[string(header)+string(sealed)]; !ok || body != string(dst[:n]) || epoch != header[keyEpochAt] {
				t.Fatalf("forged: %q", dst[:n])
			}
			if _, err := o.Open(dst, header, sealed, epoch, 0); err != ErrReplayed {
				t.Fatalf("opened again: %v", err)
			}
		}
	})
}

func FuzzAnnounce(f *testing.F) {
	a := Announce{Nonce: Nonce{1}, Salt: Salt{2}, Key: 3, Packet: 4, Suite: AES128GCM}
	header := sealedHeader(0)
	body, err := AppendAnnounce(nil, fuzzSecret, header, a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(header, body)
	f.Add(header, AppendHello(nil, Hello{Nonce: a.Nonce}))
	f.Add([]byte{}, []byte{})
	f.Add(header, append(bytes.Clone(body[:len(body)-1]), 0))
	f.Fuzz(func(t *testing.T, h, b []byte) {
		if got, err := OpenAnnounce(fuzzSecret, h, b, a.Nonce); err == nil &&
			(got != a || !bytes.Equal(h, header) || !bytes.Equal(b, body)) {
			t.Fatalf("forged: %+v", got)
		}
		if hello, err := ParseHello(b); err == nil && !bytes.Equal(AppendHello(nil, hello), b) {
			t.Fatalf("%+v was read from %x", hello, b)
		}
	})
}

func FuzzSecretFile(f *testing.F) {
	f.Add([]byte("00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n"))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte("\n"), secretDigits+1))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := readSecret("FILE", bytes.NewReader(text))
		if err == nil && (s.b == nil || len(text) != secretDigits && len(text) != secretDigits+1) {
			t.Fatalf("%q is taken for a secret", text)
		}
	})
}
