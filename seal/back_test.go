package seal

import (
	"bytes"
	"io"
	"testing"
)

func TestBackDirectionOpensForItsReceiverOnly(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite Suite) {
		secret, salt, receiver := NewSecret(), NewSalt(), NewReceiver()
		back, err := NewBackSealer(secret, suite, sealedSession, salt, receiver)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := NewBackOpener(secret, suite, sealedSession, salt, receiver)
		if err != nil {
			t.Fatal(err)
		}
		others, err := NewBackOpener(secret, suite, sealedSession, salt, receiver+1)
		if err != nil {
			t.Fatal(err)
		}
		header, body := sealedHeader(0), []byte("missing 17 to 19")
		sealed, dst := make([]byte, len(body)+Overhead), make([]byte, len(body))
		if n, err := back.Seal(sealed, header, body); n != len(sealed) || err != nil {
			t.Fatal(n, err)
		}
		if _, err := others.Open(dst, header, sealed); err != ErrForged {
			t.Errorf("another receiver: %v", err)
		}
		if _, err := mine.Open(dst, sealedHeader(1), sealed); err != ErrOldKey {
			t.Errorf("another key epoch: %v", err)
		}
		if _, err := mine.Open(dst, header, sealed[:Overhead-1]); err != ErrShort {
			t.Errorf("cut: %v", err)
		}
		if _, err := mine.Open(dst[1:], header, sealed); err != io.ErrShortBuffer {
			t.Errorf("no room: %v", err)
		}
		if n, err := mine.Open(dst, header, sealed); err != nil || !bytes.Equal(dst[:n], body) {
			t.Fatalf("%q, %v", dst[:n], err)
		}
		if _, err := mine.Open(dst, header, sealed); err != ErrReplayed {
			t.Errorf("again: %v", err)
		}
		if _, err := back.Seal(sealed, sealedHeader(1), body); err != ErrOldKey {
			t.Errorf("sealed with a key epoch: %v", err)
		}
		if _, err := back.Seal(sealed[1:], header, body); err != io.ErrShortBuffer {
			t.Errorf("sealed without room: %v", err)
		}
	})
}
