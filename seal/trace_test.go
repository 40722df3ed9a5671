package seal

import (
	"errors"
	"strings"
	"testing"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// The cases of the W3C Trace Context specification and its test suite, as far as a traceparent goes.
func TestTraceparentAsW3CHasIt(t *testing.T) {
	for text, ok := range map[string]bool{
		parent:                              true,
		parent[:53] + "00":                  true,
		parent[:53] + "ff":                  true, // flags that are not known are kept
		"cc" + parent[2:]:                   true, // a version to come
		"cc" + parent[2:] + "-what-will-be": true,
		"cc" + parent[2:] + ".what":         false,
		"cc" + parent[2:] + "1":             false,
		"ff" + parent[2:]:                   false,
		"0" + parent:                        false,
		"0x" + parent[2:]:                   false,
		parent + "-":                        false, // version 00 has four fields
		parent + "-what-will-be":            false,
		parent + " ":                        false,
		" " + parent:                        false,
		parent[:54]:                         false,
		"":                                  false,
		strings.ToUpper(parent):             false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01": false,
		"00-.bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.1": false,
		"00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A": false,
	} {
		got, err := ParseTraceparent(text)
		if (err == nil) != ok || err != nil && (!errors.Is(err, ErrTraceparent) || got != Trace{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if ok && got.String() != "00"+text[2:55] {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestTraceHasParts(t *testing.T) {
	got, err := ParseTraceparent(parent)
	if err != nil || got.ID()[15] != 0x36 || got.Span()[0] != 0 || got.Span()[7] != 0xb7 || got.Flags() != Sampled {
		t.Fatalf("%s: %v", got, err)
	}
	child := got.In([8]byte{7: 9})
	if child.ID() != got.ID() || child.Span() != [8]byte{7: 9} || child.Flags() != Sampled || (Trace{1}).Valid() {
		t.Errorf("child %s", child)
	}
	if Carried.String() != "carried" || Hop(99).String() != "delivered" {
		t.Error("hops have other names")
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(parent)
	f.Add("cc" + parent[2:] + "-more")
	f.Add("ff" + parent[2:])
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTraceparent(text)
		if err != nil {
			if !errors.Is(err, ErrTraceparent) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseTraceparent(got.String()); err != nil || again != got || !got.Valid() {
			t.Fatalf("%q: %s, %v", text, again, err)
		}
		if !strings.HasPrefix(text[2:], got.String()[2:]) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
