package trades

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLoadReadsTheWholeCapture(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	products := map[string]int{}
	for _, tr := range all {
		products[tr.Product]++
		if tr.Price <= 0 || tr.Size <= 0 || tr.Time.IsZero() || tr.Captured.IsZero() {
			t.Fatalf("%+v", tr)
		}
	}
	if len(all) != 300 || len(products) != 3 {
		t.Errorf("%d trades of %v", len(all), products)
	}
	first := all[0]
	want := Trade{Product: "BTC-USD", ID: 865127782, Sequence: 110614077300, Price: 11682785000000, Size: 4147,
		Time:     time.Date(2025, 8, 22, 20, 11, 30, 12637000, time.UTC),
		Captured: time.Date(2025, 8, 22, 20, 11, 29, 968996000, time.UTC)}
	if !first.Time.Equal(want.Time) || !first.Captured.Equal(want.Captured) {
		t.Errorf("times %v %v", first.Time, first.Captured)
	}
	first.Time, first.Captured, want.Time, want.Captured = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if first != want {
		t.Errorf("%+v", first)
	}
}

func TestDecimalIsExact(t *testing.T) {
	for s, want := range map[string]int64{
		"116827.85": 11682785000000, "0.00004147": 4147, "0.00000025": 25, "5": 500000000, "0": 0,
		"92233720368.54775807": 1<<63 - 1,
	} {
		if got, err := Decimal(s); err != nil || got != want {
			t.Errorf("%s = %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", ".", "1.", ".5", "-1", "1e3", "0.000000001", "92233720368.54775808", "1.2.3", " 1"} {
		if _, err := Decimal(s); !errors.Is(err, ErrDecimal) {
			t.Errorf("%q passes", s)
		}
	}
}

func TestParseNamesTheLineThatIsWrong(t *testing.T) {
	good := strings.SplitN(string(file), "\n", 2)[0]
	for _, bad := range []string{"{", strings.Replace(good, `"side":"buy"`, `"side":"?"`, 1),
		strings.Replace(good, "116827.85", "x", 1), strings.Replace(good, "0.00004147", "1e-5", 1)} {
		if _, err := parse([]byte(good + "\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func ExampleLoad() {
	all, err := Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(all), all[0].Product, all[0].Price, all[0].Size)
	// Output: 300 BTC-USD 11682785000000 4147
}
