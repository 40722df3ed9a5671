package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
)

// samples are small bodies: one record or a few.
func samples(seed uint64, n int) (all [][]byte) {
	for i := range n {
		all = append(all, market(seed+uint64(i), 240))
	}
	return all
}

var trainOnce = sync.OnceValues(func() ([]byte, error) { return BuildDictionary(samples(1, 400), 4096) })

func trained(t testing.TB) []byte {
	t.Helper()
	d, err := trainOnce()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADictionaryMakesSmallBodiesSmaller(t *testing.T) {
	src := market(12345, 240)
	plain, _ := packed(t, open(t, Options{Method: Zstd, MinSize: 1}), src)
	c := open(t, Options{Method: Zstd, MinSize: 1, Dictionary: trained(t)})
	with, codec := packed(t, c, src)
	if len(with) >= len(plain) {
		t.Errorf("%d bytes with a dictionary, %d without", len(with), len(plain))
	}
	out := make([]byte, len(src))
	if err := c.Unpack(out, with, codec); err != nil || !bytes.Equal(out, src) {
		t.Errorf("expanded: %v", err)
	}
}

func TestAWrongOrMissingDictionaryIsNamed(t *testing.T) {
	src, out := market(12345, 240), make([]byte, 240)
	b, codec := packed(t, open(t, Options{Method: Zstd, MinSize: 1, Dictionary: trained(t)}), src)
	if err := open(t, Options{}).Unpack(out, b, codec); err != ErrDictionary {
		t.Errorf("without: %v", err)
	}
	other, err := BuildDictionary(samples(1000, 300), 2048)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, Options{Dictionary: other}).Unpack(out, b, codec); err != ErrDictionary {
		t.Errorf("with another: %v", err)
	}
}

// Receivers get a new dictionary first: until senders have it, bodies come without.
func TestBodiesWithoutADictionaryAreTakenByAReceiverWithOne(t *testing.T) {
	c := open(t, Options{Dictionary: trained(t)})
	each(t, func(t *testing.T, m Method) {
		src, out := market(1, 4096), make([]byte, 4096)
		b, codec := packed(t, open(t, Options{Method: m}), src)
		if err := c.Unpack(out, b, codec); err != nil || !bytes.Equal(out, src) {
			t.Error(err)
		}
	})
}

func TestADictionaryIsNumberedByItsContent(t *testing.T) {
	d := trained(t)
	id := binary.LittleEndian.Uint32(d[4:])
	if id != number(d[8:]) || id < 1<<15 || id >= 1<<31 {
		t.Errorf("number %d, content says %d", id, number(d[8:]))
	}
}

func TestUselessSamplesAndDictionariesAreRefused(t *testing.T) {
	for name, s := range map[string][][]byte{
		"none": nil, "empty": {nil, {}}, "one": {market(1, 4000)}, "the same": {market(1, 400), market(1, 400), market(1, 400)},
		"short": {{1, 2, 3}, {4, 5}}, "noise": {noise(1, 500), noise(2, 500), noise(3, 500)}, "zeroes": {make([]byte, 900), make([]byte, 900)},
	} {
		d, err := BuildDictionary(s, 1024)
		if err == nil {
			open(t, Options{Method: Zstd, Dictionary: d}) // then it must be one
		} else if !errors.Is(err, ErrDictionary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, size := range []int{-1, 0, 255, 64<<10 + 1} {
		if _, err := BuildDictionary(samples(1, 10), size); !errors.Is(err, ErrDictionary) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	good := trained(t)
	for n := 1; n < len(good); n += 1 + n/64 {
		if _, err := New(Options{Dictionary: good[:n]}); err != nil && !errors.Is(err, ErrDictionary) {
			t.Fatalf("the first %d bytes of a dictionary: %v", n, err)
		}
	}
	if _, err := New(Options{Dictionary: []byte("no dictionary at all, really")}); !errors.Is(err, ErrDictionary) {
		t.Error(err)
	}
}
