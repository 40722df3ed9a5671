package pack_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/alphapulse/transport/seal/pack"
)

func ExampleCodec() {
	sender, err := pack.New(pack.Options{Method: pack.LZ4})
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver, err := pack.New(pack.Options{Accept: []pack.Method{pack.LZ4, pack.Snappy}})
	if err != nil {
		fmt.Println(err)
		return
	}
	body := bytes.Repeat([]byte("BTC-USD 116828.50 "), 100)
	datagram := make([]byte, 1400)
	n, codec := sender.Pack(datagram, body)
	fmt.Println(n > 0 && n < len(body)/10, codec)

	out := make([]byte, len(body)) // the header says how long
	fmt.Println(receiver.Unpack(out, datagram[:n], codec), bytes.Equal(out, body))
	fmt.Println(receiver.Unpack(out[:20], datagram[:n], codec))
	// Output:
	// true 1
	// <nil> true
	// pack: corrupt body
}

// A worker tells its codec once per batch what waits and how fast the link is. The clock here makes every measurement take 50 µs.
func ExampleCodec_Observe() {
	var now time.Duration
	c, err := pack.New(pack.Options{Method: pack.Adaptive, Clock: func() time.Duration { now += 50 * time.Microsecond; return now }})
	if err != nil {
		fmt.Println(err)
		return
	}
	body, datagram := bytes.Repeat([]byte("BTC-USD 116828.50 "), 1000), make([]byte, 65475)
	c.Observe(0, 10e6)
	fmt.Println(c.Pack(datagram, body))
	fmt.Println(c.Explain())
	for range 100 {
		c.Observe(1e6, 10e6) // a tenth of a second behind
		c.Pack(datagram, body)
	}
	fmt.Println(c.Method() != pack.None)
	// Output:
	// 0 0
	// none: no backlog, 0 B waiting
	// true
}

func ExampleMethod_UnmarshalText() {
	var m pack.Method
	fmt.Println(m.UnmarshalText([]byte("zstd")), m, uint8(m))
	fmt.Println(m.UnmarshalText([]byte("gzip")))
	// Output:
	// <nil> zstd 2
	// pack: options: method "gzip" is not one of none, lz4, zstd, snappy, adaptive
}

func ExampleBuildDictionary() {
	var samples [][]byte
	for i := range 200 {
		samples = append(samples, fmt.Appendf(nil, `{"venue":"coinbase","pair":"BTC-USD","price":%d,"size":%d,"side":"buy"}`, 116000+i*7, i*i))
	}
	dictionary, err := pack.BuildDictionary(samples, 1024)
	if err != nil {
		fmt.Println(err)
		return
	}
	with, err := pack.New(pack.Options{Method: pack.Zstd, MinSize: 1, Dictionary: dictionary})
	if err != nil {
		fmt.Println(err)
		return
	}
	without, err := pack.New(pack.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out := make([]byte, len(samples[42]))
	n, codec := with.Pack(out, samples[42])
	packed := bytes.Clone(out[:n])
	fmt.Println(with.Unpack(out, packed, codec), string(out) == string(samples[42]))
	fmt.Println(without.Unpack(out, packed, codec))
	// Output:
	// <nil> true
	// pack: dictionary missing, different or not usable
}
