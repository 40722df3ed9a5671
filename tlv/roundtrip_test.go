package tlv

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// drawn draws one value of every laid-out type that dialect d can express.
func drawn(t *rapid.T, d Dialect) []any {
	values := []any{
		rapid.Make[Trade]().Draw(t, "trade"), rapid.Make[Quote]().Draw(t, "quote"),
		rapid.Make[PoolSwap]().Draw(t, "swap"), rapid.Make[PoolSync]().Draw(t, "sync"),
		rapid.Make[PoolMint]().Draw(t, "mint"), rapid.Make[PoolBurn]().Draw(t, "burn"),
		rapid.Make[PoolTick]().Draw(t, "tick"), rapid.Make[SystemHealth]().Draw(t, "health"),
		rapid.Make[TraceContext]().Draw(t, "trace"), rapid.Make[RecoveryRequest]().Draw(t, "recovery"),
	}
	if d == Aligned {
		values = append(values, rapid.Make[PoolState]().Draw(t, "state"), rapid.Make[GasPrice]().Draw(t, "gas"),
			rapid.Make[ArbitrageSignal]().Draw(t, "arbitrage"), rapid.Make[PoolInfo]().Draw(t, "info"))
	}
	for i, v := range values {
		switch v := v.(type) {
		case PoolSwap:
			if d == Packed {
				v.SqrtPrice[3], v.SqrtPrice[2] = 0, v.SqrtPrice[2]&0xFFFFFFFF
			}
			values[i] = v
		case TraceContext:
			if d == Aligned {
				clear(v.ID[8:])
			}
			values[i] = v
		}
	}
	return values
}

func TestEveryTypeComesBackAsItWasWritten(t *testing.T) {
	for _, d := range []Dialect{Aligned, Packed} {
		rapid.Check(t, func(t *rapid.T) {
			h := Header{RelayDomain: 1, Version: 1, Source: SourceKraken, Flags: rapid.Uint8().Draw(t, "flags"),
				Sequence: rapid.Uint64().Draw(t, "sequence"), Timestamp: rapid.Uint64Min(1e17).Draw(t, "timestamp")}
			values := drawn(t, d)
			buf := make([]byte, 4096)
			w := Build(buf, d, &h)
			for _, v := range values {
				add(&w, v)
			}
			n, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			m, err := reader.Parse(buf[:n])
			if err != nil || m.Dialect() != d || m.Checksum() != ChecksumOK {
				t.Fatal(m.Dialect(), m.Checksum(), err)
			}
			got := m.Header()
			h.PayloadSize, h.Checksum = uint32(n-HeaderSize), got.Checksum
			if got != h {
				t.Fatalf("%+v, want %+v", got, h)
			}
			walk := m.TLVs()
			for _, want := range values {
				tl, _ := walk.Next()
				if v, ok := tl.Value(); !ok || !reflect.DeepEqual(v, want) {
					t.Fatalf("%s: %+v, want %+v", d, v, want)
				}
			}
			if again, err := rebuild(&m); err != nil || !bytes.Equal(again, buf[:n]) {
				t.Fatalf("rebuilt differently: %v", err)
			}
		})
	}
}

func TestListsComeBackAsTheyWereWritten(t *testing.T) {
	for _, d := range []Dialect{Aligned, Packed} {
		rapid.Check(t, func(t *rapid.T) {
			ids := rapid.SliceOfN(rapid.Make[InstrumentID](), 0, 16).Draw(t, "ids")
			reserves := rapid.SliceOfN(rapid.Make[Uint128](), 0, 8).Draw(t, "reserves")
			bids := rapid.SliceOfN(rapid.Make[Level](), 0, 50).Draw(t, "bids")
			asks := rapid.SliceOfN(rapid.Make[Level](), 0, 50).Draw(t, "asks")
			body := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "body")
			buf := make([]byte, 1<<14)
			w := Build(buf, d, &Header{RelayDomain: 1, Source: 1, Timestamp: 1755893490012637000})
			w.StateInvalidation(&StateInvalidation{1, 2, 3, 4, ListOf(ids...)})
			w.PoolLiquidity(&PoolLiquidity{1, 2, Address{3}, ListOf(reserves...)})
			w.Snapshot(&Snapshot{Sequence: 1, Body: body})
			if d == Aligned {
				for _, fixed := range []bool{false, true} {
					w.OrderBook(&OrderBook{1, 2, 3, 4, 5, 6, 7, fixed, ListOf(bids...), ListOf(asks...)})
				}
			}
			n, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			m, err := Parse(buf[:n])
			if err != nil {
				t.Fatal(err)
			}
			walk := m.TLVs()
			tl, _ := walk.Next()
			inv, ok1 := tl.StateInvalidation()
			tl, _ = walk.Next()
			liq, ok2 := tl.PoolLiquidity()
			tl, _ = walk.Next()
			snap, ok3 := tl.Snapshot()
			if !ok1 || !ok2 || !ok3 || !snap.BodyOK() || !bytes.Equal(snap.Body, body) ||
				fmt.Sprint(inv.Instruments.Append(nil)) != fmt.Sprint(ids) || inv.Reason != 4 || inv.Timestamp != 2 ||
				fmt.Sprint(liq.Reserves.Append(nil)) != fmt.Sprint(reserves) || liq.Pool != (Address{3}) || liq.Timestamp != 1 {
				t.Fatalf("%v %+v\n%v %+v\n%v %+v", ok1, inv, ok2, liq, ok3, snap)
			}
			for tl, more := walk.Next(); more; tl, more = walk.Next() {
				book, ok := tl.OrderBook()
				if !ok || book.Sequence != 3 || fmt.Sprint(book.Bids.Append(nil)) != fmt.Sprint(bids) ||
					fmt.Sprint(book.Asks.Append(nil)) != fmt.Sprint(asks) {
					t.Fatalf("%+v", book)
				}
			}
		})
	}
}

func TestPackedInvalidationIsBigEndian(t *testing.T) {
	v := StateInvalidation{Sequence: 0x0102030405060708, Timestamp: 0x1112131415161718, Venue: 0x2122,
		Reason: ReasonStale, Instruments: ListOf(InstrumentID{0x3132333435363738, 0x4142, 0x51, 0x61})}
	const want = "2122" + "0102030405060708" + "0001" + "41425161" + "3132333435363738" + "03" + "1112131415161718"
	if got := hex.EncodeToString(payloadOf(t, Packed, v)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestPackedSwapPriceIsTwentyBytesBigEndian(t *testing.T) {
	p := payloadOf(t, Packed, PoolSwap{SqrtPrice: Uint256{0x0807060504030201, 0x100F0E0D0C0B0A09, 0x14131211}})
	if got := hex.EncodeToString(p[96:116]); got != "14131211100f0e0d0c0b0a090807060504030201" {
		t.Error(got)
	}
}

func TestCountsBeyondThePayloadStayOpaque(t *testing.T) {
	hurt := func(value any, d Dialect, at int) TLV {
		b := append([]byte{}, payloadOf(t, d, value)...)
		b[at] = 0xFF
		types := map[string]Type{"tlv.StateInvalidation": TypeStateInvalidation, "tlv.PoolLiquidity": TypePoolLiquidity, "tlv.OrderBook": TypeOrderBook}
		return TLV{Payload: b, Type: types[fmt.Sprintf("%T", value)], Dialect: d}
	}
	for _, tl := range []TLV{
		hurt(StateInvalidation{}, Aligned, 16), hurt(StateInvalidation{}, Packed, 11),
		hurt(PoolLiquidity{}, Aligned, 16), hurt(PoolLiquidity{}, Packed, 22),
		hurt(OrderBook{}, Aligned, 36), hurt(OrderBook{}, Aligned, 40),
		hurt(OrderBook{Fixed: true}, Aligned, 40), hurt(OrderBook{Fixed: true}, Aligned, 1248),
	} {
		if v, ok := tl.Value(); ok {
			t.Errorf("%s reads as %+v", tl.Type, v)
		}
	}
}
