package tlv

// Venue is the number of an exchange, chain or pool protocol, as instruments carry it.
// One part of the original numbers chains differently (Polygon 201, BSC 202, Arbitrum 203); these are the others'.
type Venue uint16

// The venues with a known number.
const (
	VenueNYSE      Venue = 1
	VenueNASDAQ    Venue = 2
	VenueBinance   Venue = 100
	VenueKraken    Venue = 101
	VenueCoinbase  Venue = 102
	VenueGemini    Venue = 108
	VenueEthereum  Venue = 200
	VenueBitcoin   Venue = 201
	VenuePolygon   Venue = 202
	VenueBSC       Venue = 203
	VenueArbitrum  Venue = 206
	VenueUniswapV2 Venue = 300
	VenueUniswapV3 Venue = 301
	VenueSushi     Venue = 302
	VenueQuickSwap Venue = 400
	VenueDeribit   Venue = 700
	VenueTest      Venue = 65000
)

// String is the venue's name, or "venue_N".
func (v Venue) String() string {
	switch v {
	case VenueNYSE:
		return "NYSE"
	case VenueNASDAQ:
		return "NASDAQ"
	case VenueBinance:
		return "Binance"
	case VenueKraken:
		return "Kraken"
	case VenueCoinbase:
		return "Coinbase"
	case VenueGemini:
		return "Gemini"
	case VenueEthereum:
		return "Ethereum"
	case VenueBitcoin:
		return "Bitcoin"
	case VenuePolygon:
		return "Polygon"
	case VenueBSC:
		return "BSC"
	case VenueArbitrum:
		return "Arbitrum"
	case VenueUniswapV2:
		return "UniswapV2"
	case VenueUniswapV3:
		return "UniswapV3"
	case VenueSushi:
		return "SushiSwap"
	case VenueQuickSwap:
		return "QuickSwap"
	case VenueDeribit:
		return "Deribit"
	case VenueTest:
		return "Test"
	}
	return unnamed("venue", int(v))
}

// AssetType is the kind of thing an instrument is.
type AssetType uint8

// The asset types.
const (
	AssetStock   AssetType = 1
	AssetToken   AssetType = 50
	AssetCoin    AssetType = 51
	AssetNFT     AssetType = 52
	AssetStable  AssetType = 53
	AssetWrapped AssetType = 54
	AssetPool    AssetType = 100
	AssetLP      AssetType = 101
	AssetOption  AssetType = 150
	AssetFuture  AssetType = 151
	AssetSwap    AssetType = 152
	AssetTest    AssetType = 250
)

// String is the asset type's name, or "asset_N".
func (a AssetType) String() string {
	switch a {
	case AssetStock:
		return "Stock"
	case AssetToken:
		return "Token"
	case AssetCoin:
		return "Coin"
	case AssetNFT:
		return "NFT"
	case AssetStable:
		return "Stable"
	case AssetWrapped:
		return "Wrapped"
	case AssetPool:
		return "Pool"
	case AssetLP:
		return "LP"
	case AssetOption:
		return "Option"
	case AssetFuture:
		return "Future"
	case AssetSwap:
		return "Swap"
	case AssetTest:
		return "Test"
	}
	return unnamed("asset", int(a))
}
