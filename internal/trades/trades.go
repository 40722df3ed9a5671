// Package trades holds 300 trades captured live from one exchange, the input of the demo and of end-to-end tests.
//
// A trade is one line of JSON in the embedded file; Load parses them all once, prices and sizes exactly, without
// floating point.
//
// Limits: three products in half a minute of 22 August 2025. It is bursty on purpose: 50 trades within 100 ms, 26 with
// the very same timestamp, one out of order.
package trades

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

//go:embed coinbase-trades.jsonl
var file []byte

// Trade is one execution as the exchange told it.
type Trade struct {
	Product  string    // "BTC-USD"
	ID       uint64    // the exchange's trade number
	Sequence uint64    // the exchange's per-product number: rises, with gaps
	Sell     bool      // the aggressor sold
	Price    int64     // ×1e8
	Size     int64     // ×1e8
	Time     time.Time // of the execution
	Captured time.Time // of the arrival at the capturing machine; orders the file
}

// ErrDecimal: a number is not a plain decimal that fits int64 at eight places.
var ErrDecimal = errors.New("trades: not a decimal of at most eight places")

// Load parses the embedded capture, in order of arrival.
func Load() ([]Trade, error) { return parse(file) }

func parse(b []byte) (all []Trade, err error) {
	for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		t, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("trades: line %d: %w", i+1, err)
		}
		all = append(all, t)
	}
	return all, nil
}

func parseLine(line []byte) (t Trade, err error) {
	var raw struct {
		Product  string    `json:"product_id"`
		ID       uint64    `json:"trade_id"`
		Sequence uint64    `json:"sequence"`
		Side     string    `json:"side"`
		Price    string    `json:"price"`
		Size     string    `json:"size"`
		Time     time.Time `json:"time"`
		Captured time.Time `json:"captured"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return t, err
	}
	if raw.Side != "buy" && raw.Side != "sell" {
		return t, fmt.Errorf("side %q", raw.Side)
	}
	t = Trade{Product: raw.Product, ID: raw.ID, Sequence: raw.Sequence, Sell: raw.Side == "sell",
		Time: raw.Time, Captured: raw.Captured}
	if t.Price, err = Decimal(raw.Price); err != nil {
		return t, fmt.Errorf("price %q: %w", raw.Price, err)
	}
	if t.Size, err = Decimal(raw.Size); err != nil {
		return t, fmt.Errorf("size %q: %w", raw.Size, err)
	}
	return t, nil
}

// Decimal parses an unsigned decimal as ×1e8, exactly. ErrDecimal for anything else, more places than eight included.
func Decimal(s string) (int64, error) {
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || dot && frac == "" || len(frac) > 8 {
		return 0, ErrDecimal
	}
	const limit = 1<<63 - 1
	var n int64
	for _, c := range whole + frac + "00000000"[len(frac):] {
		if c < '0' || c > '9' || n > (limit-int64(c-'0'))/10 {
			return 0, ErrDecimal
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}
