package tlv_test

import (
	"encoding/hex"
	"fmt"

	"github.com/alphapulse/transport/tlv"
)

// One transaction makes two TLVs of one message: the swap and the reserves it left behind.
func ExamplePoolSwap() {
	var pool, weth, usdc tlv.Address
	hex.Decode(pool[:], []byte("45dda9cb7c25131df268515131f647d726f50608"))
	hex.Decode(weth[:], []byte("7ceb23fd6bc0add59e62ac25578270cff1b9f619"))
	hex.Decode(usdc[:], []byte("2791bca1f2de4661ed88a30c99a7a9449aa84174"))

	buf := make([]byte, 512)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: 1, Source: tlv.SourcePolygon, Sequence: 9})
	w.PoolSwap(&tlv.PoolSwap{
		Venue: tlv.VenueUniswapV3, Pool: pool, TokenIn: weth, TokenOut: usdc,
		AmountIn: tlv.Uint128{Lo: 2e18}, InDecimals: 18, // 2 WETH, in wei
		AmountOut: tlv.Uint128{Lo: 8600_500000}, OutDecimals: 6,
		SqrtPrice: tlv.Uint256{0, 1 << 32}, // 2^96 is a square-root price of 1
	})
	w.PoolSync(&tlv.PoolSync{
		Venue: tlv.VenueUniswapV3, Pool: pool, Token0: weth, Token1: usdc,
		Reserve0: tlv.Uint128{Lo: 0x8D726B7177A80000, Hi: 0xD}, Decimals0: 18, // 250 WETH: more than 64 bits hold
		Reserve1: tlv.Uint128{Lo: 1_000_000_000000}, Decimals1: 6,
	})
	n, err := w.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := tlv.Parse(buf[:n])
	if err != nil {
		fmt.Println(err)
		return
	}
	walk := m.TLVs()
	for t, more := walk.Next(); more; t, more = walk.Next() {
		if swap, ok := t.PoolSwap(); ok {
			fmt.Println(t.Type, swap.Pool, swap.AmountIn, "→", swap.AmountOut, "at", swap.SqrtPrice)
		}
		if sync, ok := t.PoolSync(); ok {
			fmt.Println(t.Type, sync.Reserve0, sync.Reserve1)
		}
	}
	// Output:
	// PoolSwap 45dda9cb7c25131df268515131f647d726f50608 2000000000000000000 → 8600500000 at 79228162514264337593543950336
	// PoolSync 250000000000000000000 1000000000000
}

// What a position's life does to a pool: minted, seen as net liquidity at its lower tick, burned by half.
func ExamplePoolMint() {
	pool := tlv.Address{0xA1}
	position := tlv.PoolMint{Venue: tlv.VenueUniswapV3, Pool: pool, Provider: tlv.Address{0xB2},
		TickLower: -600, TickUpper: 600, Liquidity: tlv.Uint128{Lo: 5000}}
	half := tlv.PoolBurn(position) // the same fields, taken out instead of put in
	half.Liquidity.Lo /= 2

	buf := make([]byte, 1024)
	w := tlv.Build(buf, tlv.Packed, &tlv.Header{RelayDomain: 1, Source: tlv.SourcePolygon,
		Timestamp: 1755893490012637000}) // a Parser knows packed messages by it
	w.PoolMint(&position)
	w.PoolTick(&tlv.PoolTick{Venue: tlv.VenueUniswapV3, Pool: pool, Tick: -600, LiquidityNet: 5000})
	w.PoolBurn(&half)
	n, err := w.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := tlv.Parse(buf[:n])
	if err != nil {
		fmt.Println(err)
		return
	}
	walk := m.TLVs()
	for t, more := walk.Next(); more; t, more = walk.Next() {
		if v, ok := t.PoolMint(); ok {
			fmt.Println("+", v.Liquidity, "in ticks", v.TickLower, "to", v.TickUpper)
		}
		if v, ok := t.PoolTick(); ok {
			fmt.Println("net", v.LiquidityNet, "at tick", v.Tick)
		}
		if v, ok := t.PoolBurn(); ok {
			fmt.Println("-", v.Liquidity, "in ticks", v.TickLower, "to", v.TickUpper)
		}
	}
	// Output:
	// + 5000 in ticks -600 to 600
	// net 5000 at tick -600
	// - 2500 in ticks -600 to 600
}

// A strategy that starts late learns a pool from three TLVs: what it is, where it stands, what it holds.
func ExamplePoolState() {
	pool := tlv.Address{0xA1}
	buf := make([]byte, 1024)
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: 1, Source: tlv.SourcePolygon})
	w.PoolInfo(&tlv.PoolInfo{Venue: tlv.VenueUniswapV3, Pool: pool, FeeTier: 500, Decimals0: 18, Decimals1: 6})
	w.PoolState(&tlv.PoolState{Venue: tlv.VenueUniswapV3, Pool: pool, Block: 75_000_000, Tick: -193400})
	w.PoolLiquidity(&tlv.PoolLiquidity{Venue: tlv.VenueUniswapV3, Pool: pool,
		Reserves: tlv.ListOf(tlv.Uint128{Lo: 3e18}, tlv.Uint128{Lo: 12_000_000000})})
	n, err := w.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := tlv.Parse(buf[:n])
	if err != nil {
		fmt.Println(err)
		return
	}
	if t, ok := m.Find(tlv.TypePoolInfo); ok {
		info, _ := t.PoolInfo()
		fmt.Println(info.Venue, "fee", info.FeeTier, "decimals", info.Decimals0, info.Decimals1)
	}
	if t, ok := m.Find(tlv.TypePoolState); ok {
		state, _ := t.PoolState()
		fmt.Println("block", state.Block, "tick", state.Tick)
	}
	if t, ok := m.Find(tlv.TypePoolLiquidity); ok {
		held, _ := t.PoolLiquidity()
		fmt.Println(held.Reserves.Len(), "reserves, the second", held.Reserves.At(1))
	}
	// Output:
	// UniswapV3 fee 500 decimals 18 6
	// block 75000000 tick -193400
	// 2 reserves, the second 12000000000
}
