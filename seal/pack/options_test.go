package pack

import (
	"errors"
	"strings"
	"testing"
)

func TestAllFaultsOfOptionsAreReported(t *testing.T) {
	_, err := New(Options{Method: 9, Level: 23, MinSize: -1, Accept: []Method{Adaptive}, Dictionary: []byte{1}})
	for _, want := range []string{"number 9", "level 23", "size -1", "adaptive does not travel"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %q in: %v", want, err)
		}
	}
	if !errors.Is(err, ErrOptions) || !errors.Is(err, ErrDictionary) {
		t.Errorf("without its sentinels: %v", err)
	}
	for _, m := range []Method{None, LZ4, Snappy} {
		if _, err := New(Options{Method: m, Level: 3}); !errors.Is(err, ErrOptions) {
			t.Errorf("a level for %s: %v", m, err)
		}
	}
}

func TestMethodsReadBackTheirNames(t *testing.T) {
	for m := None; m <= Adaptive; m++ {
		text, err := m.MarshalText()
		var back Method
		if err != nil || back.UnmarshalText(text) != nil || back != m || m.String() != string(text) {
			t.Errorf("%s: %q, %v, %s", m, text, err, back)
		}
	}
	m := Zstd
	for _, bad := range []string{"", "LZ4", "zstd ", "method 7", "s2"} {
		if err := m.UnmarshalText([]byte(bad)); !errors.Is(err, ErrOptions) || m != Zstd {
			t.Errorf("%q: %v, %s", bad, err, m)
		}
	}
	if _, err := Method(7).MarshalText(); !errors.Is(err, ErrOptions) || Method(7).String() != "method 7" {
		t.Errorf("%v, %s", err, Method(7))
	}
}
