package mqadapt

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

var methods = map[string]pack.Method{"none": pack.None, "lz4": pack.LZ4, "zstd": pack.Zstd, "snappy": pack.Snappy, "adaptive": pack.Adaptive}

// packer is by what a line's envelopes are packed; nil: they are not.
func packer(l *netio.QueueLine) (seal.Codec, error) {
	name, level, _ := strings.Cut(l.Packing, ":")
	if name == "" || name == "none" {
		return nil, nil
	}
	method, ok := methods[name]
	n, err := 0, error(nil)
	if level != "" {
		n, err = strconv.Atoi(level)
	}
	if !ok || err != nil {
		return nil, fmt.Errorf("mqadapt: channel %q: %w: packing %q is not none, lz4, zstd, snappy or adaptive, with :LEVEL", l.Channel, ErrOptions, l.Packing)
	}
	c, err := pack.New(pack.Options{Method: method, Level: n})
	if err != nil {
		return nil, fmt.Errorf("mqadapt: channel %q: %w: %w", l.Channel, ErrOptions, err)
	}
	return c, nil
}

// unpacker expands whatever a shipper may have packed, whatever the file says now: a queue outlives the setting that its envelopes were put
// under.
func unpacker(l *netio.QueueLine) (seal.Codec, error) {
	c, err := pack.New(pack.Options{})
	if err != nil {
		return nil, fmt.Errorf("mqadapt: channel %q: %w", l.Channel, err)
	}
	return c, nil
}
