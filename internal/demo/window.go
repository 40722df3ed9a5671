package demo

import "math"

// windowSize is how many trades of a product the statistics reach back.
const windowSize = 64

// window keeps the last trades of one product. Sums are of distances from a reference price, which are small numbers of
// which a float64 loses nothing that matters; once per lap they are taken anew, so that rounding never adds up.
type window struct {
	asset   uint64
	price   [windowSize]int64
	volume  [windowSize]int64
	n       int // trades held
	at      int // where the next one goes
	ref     int64
	sum     float64 // of distances
	squares float64
	traded  float64 // volume
	turned  float64 // of distance × volume
}

// statistics of a window; prices are ×1e8.
type statistics struct {
	mean, deviation, vwap, momentum int64
	fill                            uint8 // of the window, percent
}

// add takes a trade in and the oldest out.
func (w *window) add(price, volume int64) statistics {
	oldest := price
	if w.n == windowSize {
		w.weigh(w.at, -1)
		oldest = w.price[(w.at+1)%windowSize]
	} else {
		if w.n == 0 {
			w.ref = price
		} else {
			oldest = w.price[0]
		}
		w.n++
	}
	w.price[w.at], w.volume[w.at] = price, volume
	w.weigh(w.at, 1)
	if w.at++; w.at == windowSize {
		w.at = 0
		w.renew(price)
	}
	return w.statistics(price, oldest)
}

// weigh puts trade i into the sums (1) or takes it out (−1).
func (w *window) weigh(i int, sign float64) {
	d, v := float64(w.price[i]-w.ref), float64(w.volume[i])
	w.sum += sign * d
	w.squares += sign * d * d
	w.traded += sign * v
	w.turned += sign * d * v
}

func (w *window) renew(ref int64) {
	w.ref, w.sum, w.squares, w.traded, w.turned = ref, 0, 0, 0, 0
	for i := range w.n {
		w.weigh(i, 1)
	}
}

func (w *window) statistics(price, oldest int64) statistics {
	n := float64(w.n)
	mean := w.sum / n
	s := statistics{mean: w.ref + int64(math.Round(mean)), momentum: price - oldest, fill: uint8(100 * w.n / windowSize)}
	s.deviation = int64(math.Round(math.Sqrt(max(0, w.squares/n-mean*mean))))
	s.vwap = s.mean
	if w.traded > 0 {
		s.vwap = w.ref + int64(math.Round(w.turned/w.traded))
	}
	return s
}

// maxProducts bounds what one strategy follows.
const maxProducts = 1024

// windows is a window per product. It allocates once per product.
type windows struct{ all []*window }

// of finds the window of asset; beyond maxProducts the last one serves all others.
func (ws *windows) of(asset uint64) *window {
	for _, w := range ws.all {
		if w.asset == asset {
			return w
		}
	}
	if len(ws.all) == maxProducts {
		return ws.all[maxProducts-1]
	}
	w := &window{asset: asset}
	ws.all = append(ws.all, w)
	return w
}
