package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var writeSealed = flag.Bool("write-sealed", false, "write testdata/sealed.json anew")

// hexBytes are hex digits in JSON.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// sealedVectors are docs/wire.md's sections on sealing as bytes, so that another implementation can check itself.
type sealedVectors struct {
	Comment  string
	Secret   hexBytes
	Salt     hexBytes
	Channel  uint32
	Source   uint64
	Epoch    uint32
	Path     uint8
	Sealed   []sealedVector
	Hello    helloVector
	Announce []announceVector
}

// sealedVector is one sealed body. Receiver is set in the back direction, which has key number 0.
type sealedVector struct {
	Suite      uint8
	Key        uint64
	Receiver   uint64 `json:",omitempty"`
	Packet     uint64
	TrafficKey hexBytes
	IV         hexBytes
	Header     hexBytes
	Body       hexBytes
	Wire       hexBytes
}

type helloVector struct {
	Nonce hexBytes
	Wire  hexBytes
}

type announceVector struct {
	Suite  uint8
	Key    uint64
	Packet uint64
	Nonce  hexBytes
	Header hexBytes
	Wire   hexBytes
}

// counting is n bytes that count upwards.
func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// vectorHeader is a header as docs/wire.md draws it.
func vectorHeader(kind, codec, keyEpoch byte, length int, seq uint64) []byte {
	h := binary.LittleEndian.AppendUint32([]byte{1, kind, codec, keyEpoch}, sealedSession.Channel)
	h = binary.LittleEndian.AppendUint64(h, sealedSession.Source)
	h = binary.LittleEndian.AppendUint32(h, sealedSession.Epoch)
	h = binary.LittleEndian.AppendUint16(h, uint16(length))
	h = binary.LittleEndian.AppendUint16(h, 0)
	return binary.LittleEndian.AppendUint64(h, seq)
}

func buildVectors(t *testing.T) sealedVectors {
	t.Helper()
	const receiver = 0x1122334455667788
	secret, salt, nonce := SecretOf([secretSize]byte(counting(0, secretSize))), Salt(counting(0x40, 16)), Nonce(counting(0x80, 16))
	v := sealedVectors{Comment: "bytes in hex; see docs/wire.md, Sealed", Secret: counting(0, secretSize), Salt: salt[:],
		Channel: sealedSession.Channel, Source: sealedSession.Source, Epoch: sealedSession.Epoch, Path: sealedSession.Path}
	bodies := [][]byte{{}, []byte("AlphaPulse"), counting(0, 64), bytes.Repeat([]byte{0xee}, 100)}
	for _, suite := range suites {
		s, err := newSealer(secret, suite, sealedSession, salt, Limits{})
		must(t, err)
		for i, number := range []uint64{0, 1, 255, 256, 1 << 40} {
			s.key, err = s.schedule.key(number)
			must(t, err)
			s.number = []uint64{0, 1, 254, 1 << 32, 1<<63 - 1}[i]
			body := bodies[i%len(bodies)]
			header := vectorHeader(0x11, byte(suite)<<4, byte(number), len(body)+Overhead, uint64(100+i))
			wire := make([]byte, len(body)+Overhead)
			_, err = s.Seal(wire, header, body)
			must(t, err)
			v.Sealed = append(v.Sealed, sealedVector{Suite: byte(suite), Key: number, Packet: s.number,
				Header: header, Body: body, Wire: wire}.withKeys(t, s.schedule, number))
		}
		back, err := NewBackSealer(secret, suite, sealedSession, salt, receiver)
		must(t, err)
		schedule, err := newSchedule(labelBack, secret, suite, sealedSession, salt)
		must(t, err)
		body := AppendNak(nil, []Range{{100, 101}})
		header, wire := vectorHeader(0x15, byte(suite)<<4, 0, len(body)+Overhead, receiver), make([]byte, len(body)+Overhead)
		_, err = back.Seal(wire, header, body)
		must(t, err)
		v.Sealed = append(v.Sealed, sealedVector{Suite: byte(suite), Receiver: receiver, Packet: 1,
			Header: header, Body: body, Wire: wire}.withKeys(t, schedule, receiver))

		header = vectorHeader(8, 0, 0, AnnounceSize, 0)
		wire, err = AppendAnnounce(nil, secret, header, Announce{Nonce: nonce, Salt: salt, Key: 300, Packet: 1 << 33, Suite: suite})
		must(t, err)
		v.Announce = append(v.Announce, announceVector{Suite: byte(suite), Key: 300, Packet: 1 << 33, Nonce: nonce[:], Header: header, Wire: wire})
	}
	v.Hello = helloVector{nonce[:], AppendHello(nil, Hello{Nonce: nonce})}
	return v
}

func (v sealedVector) withKeys(t *testing.T, s *schedule, number uint64) sealedVector {
	t.Helper()
	b, err := s.bytes(number)
	must(t, err)
	v.TrafficKey, v.IV = b[:s.suite.keySize()], b[s.suite.keySize():]
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var vectorsFile = filepath.Join("testdata", "sealed.json")

func readVectors(t *testing.T) (v sealedVectors) {
	t.Helper()
	b, err := os.ReadFile(vectorsFile)
	must(t, err)
	must(t, json.Unmarshal(b, &v))
	return v
}

func TestSealedBytesAreThoseOfTheVectors(t *testing.T) {
	got, err := json.MarshalIndent(buildVectors(t), "", " ")
	must(t, err)
	got = append(got, '\n')
	if *writeSealed {
		must(t, os.MkdirAll(filepath.Dir(vectorsFile), 0o755))
		must(t, os.WriteFile(vectorsFile, got, 0o644))
	}
	want, err := os.ReadFile(vectorsFile)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("testdata/sealed.json is not what is built now; the wire has changed:\n%s", got)
	}
}

// TestVectorsFollowTheSpecificationByHand goes through docs/wire.md with nothing but HMAC, SHA-256 and the ciphers.
func TestVectorsFollowTheSpecificationByHand(t *testing.T) {
	v := readVectors(t)
	mac := func(key []byte, parts ...[]byte) []byte {
		m := hmac.New(sha256.New, key)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	// RFC 5869: extract is one HMAC, expand a chain of them.
	expand := func(prk, info []byte, n int) (out []byte) {
		var last []byte
		for i := byte(1); len(out) < n; i++ {
			last = mac(prk, last, info, []byte{i})
			out = append(out, last...)
		}
		return out[:n]
	}
	le := binary.LittleEndian
	master := mac(v.Salt, v.Secret)
	for i, s := range v.Sealed {
		label, n := "pulse key", s.Key
		if s.Receiver != 0 {
			label, n = "pulse back", s.Receiver
		}
		info := le.AppendUint32([]byte(label), v.Channel)
		info = le.AppendUint64(info, v.Source)
		info = le.AppendUint32(info, v.Epoch)
		info = append(info, v.Path, s.Suite)
		info = le.AppendUint64(info, n)
		size := map[uint8]int{1: 32, 2: 16}[s.Suite]
		out := expand(master, info, size+12)
		if !bytes.Equal(out[:size], s.TrafficKey) || !bytes.Equal(out[size:], s.IV) {
			t.Fatalf("vector %d: key %x, IV %x", i, out[:size], out[size:])
		}
		aead, err := Suite(s.Suite).aead(out[:size])
		must(t, err)
		nonce := bytes.Clone(out[size:])
		number := le.AppendUint64(nil, s.Packet)
		for j, c := range number {
			nonce[4+j] ^= c
		}
		ad := append(bytes.Clone(s.Header), number...)
		wire := append(bytes.Clone(number), aead.Seal(nil, nonce, s.Body, ad)...)
		if !bytes.Equal(wire, s.Wire) || s.Header[3] != byte(s.Key) {
			t.Errorf("vector %d: %x, want %x", i, wire, s.Wire)
		}
	}
	prk := mac(make([]byte, 32), v.Secret)
	key := expand(prk, le.AppendUint32([]byte("pulse announce"), v.Channel), 32)
	for i, a := range v.Announce {
		body := append(bytes.Clone(a.Nonce), v.Salt...)
		body = le.AppendUint64(body, a.Key)
		body = le.AppendUint64(body, a.Packet)
		body = append(body, a.Suite, 0, 0, 0, 0, 0, 0, 0)
		if wire := append(body, mac(key, a.Header, body)[:16]...); !bytes.Equal(wire, a.Wire) {
			t.Errorf("announce %d: %x, want %x", i, wire, a.Wire)
		}
	}
	hello := bytes.Clone(v.Hello.Nonce)
	if hello = append(hello, make([]byte, 80)...); !bytes.Equal(hello, v.Hello.Wire) {
		t.Errorf("hello: %x", hello)
	}
}

func TestVectorsOpen(t *testing.T) {
	v := readVectors(t)
	secret, salt := SecretOf([secretSize]byte(v.Secret)), Salt(v.Salt)
	session := Session{Channel: v.Channel, Source: v.Source, Epoch: v.Epoch, Path: v.Path}
	for i, s := range v.Sealed {
		dst := make([]byte, len(s.Body))
		if s.Receiver != 0 {
			o, err := NewBackOpener(secret, Suite(s.Suite), session, salt, s.Receiver)
			must(t, err)
			_, err = o.Open(dst, s.Header, s.Wire)
			must(t, err)
		} else {
			o, err := NewOpener(secret, Suite(s.Suite), session, salt, Window{Key: s.Key})
			must(t, err)
			_, err = o.Open(dst, s.Header, s.Wire, s.Header[3], 0)
			must(t, err)
		}
		if !bytes.Equal(dst, s.Body) {
			t.Errorf("vector %d: %x", i, dst)
		}
	}
	for _, a := range v.Announce {
		got, err := OpenAnnounce(secret, a.Header, a.Wire, Nonce(a.Nonce))
		if want := (Announce{Nonce(a.Nonce), salt, a.Key, a.Packet, Suite(a.Suite)}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
