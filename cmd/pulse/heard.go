package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/tlv"
)

// heard is one message out of a ring. Names are a contract (docs/views.md).
type heard struct {
	Channel string `json:"channel,omitempty"`
	Ring    string `json:"ring"`
	Source  string `json:"source"` // of the frame: 16 hex digits
	Epoch   uint64 `json:"epoch"`
	Seq     uint64 `json:"seq"`
	Stamp   uint64 `json:"stamp,omitempty"`
	Size    int    `json:"size"`
	Lost    uint64 `json:"lost,omitempty"`    // messages of its ring before it that were not seen
	Message any    `json:"message,omitempty"` // protocol_v2
	Hex     string `json:"hex,omitempty"`     // what is none

	decoded *decodedMessage
	payload []byte // valid until the next Peek
}

// hear decodes a record.
func hear(r ring.Record, channel, name, source string, epoch, seq uint64) *heard {
	h := &heard{Channel: channel, Ring: name, Source: source, Epoch: epoch, Seq: seq, Stamp: r.Stamp(), Size: len(r.Payload()), payload: r.Payload()}
	p := lenient
	m, err := p.Parse(h.payload)
	line, ok := decodedLine(m, 0, err).(decodedMessage)
	if !ok {
		h.Hex = hex.EncodeToString(h.payload)
		return h
	}
	h.decoded, h.Message = &line, line
	return h
}

// lenient shows what is there: both numberings, unset checksums in every domain.
var lenient = tlv.Parser{Numbering: tlv.GuessNumbering, Checksums: tlv.Policies{MarketData: tlv.PolicyLenient,
	Signal: tlv.PolicyLenient, Execution: tlv.PolicyLenient, System: tlv.PolicyLenient}}

// mostHex bounds the bytes of an unknown message in a line for people.
const mostHex = 64

// write is a line for people.
func (h *heard) write(w io.Writer) error {
	line := fmt.Sprintf("%s  %s:%d:%d  %d B", strings.TrimPrefix(h.Channel+"/"+h.Ring, "/"), h.Source, h.Epoch, h.Seq, h.Size)
	if h.Lost > 0 {
		line += fmt.Sprintf("  after %d lost", h.Lost)
	}
	if m := h.decoded; m != nil {
		line += fmt.Sprintf("  %s %s #%d", m.Domain, m.SourceName, m.Sequence)
		for _, t := range m.TLVs {
			fields, err := json.Marshal(t.Fields)
			if t.Opaque != nil {
				fields, err = json.Marshal(*t.Opaque)
			}
			if err != nil {
				return err
			}
			line += fmt.Sprintf("  %s %s", t.Name, fields)
		}
		if m.Error != nil {
			line += "  " + m.Error.Kind
		}
	} else {
		line += "  " + h.Hex[:min(len(h.Hex), 2*mostHex)]
		if h.Size > mostHex {
			line += "…"
		}
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// hearing says which messages are of interest. The zero hearing takes all.
type hearing struct {
	domain, kind, instrument, source string

	asset uint64
}

func (f *hearing) add(c *cobra.Command) {
	c.Flags().StringVar(&f.domain, "domain", "", "only messages of this relay domain: market_data, signal, execution or system")
	c.Flags().StringVar(&f.kind, "type", "", "only messages with a TLV of this type, by name or number")
	c.Flags().StringVar(&f.instrument, "instrument", "", "only messages about this instrument, by symbol (BTC-USD) or asset id")
	c.Flags().StringVar(&f.source, "source", "", "only messages of this source: a frame's (16 hex digits) or a message's, by name or number")
}

// check finds what no message can be.
func (f *hearing) check() error {
	var faults []error
	known := f.domain == ""
	for d := tlv.MarketData; d <= tlv.System; d++ {
		known = known || d.String() == f.domain
	}
	if !known {
		faults = append(faults, fmt.Errorf("--domain %s is not market_data, signal, execution or system", f.domain))
	}
	known = f.kind == ""
	for i := range 256 {
		known = known || strings.EqualFold(f.kind, tlv.Type(i).String()) || f.kind == strconv.Itoa(i)
	}
	if !known {
		faults = append(faults, fmt.Errorf("--type %s is no type of protocol_v2: docs/tlv.md has their names", f.kind))
	}
	var err error
	if f.asset, err = strconv.ParseUint(f.instrument, 10, 64); err != nil {
		f.asset = tlv.SymbolID(f.instrument)
	}
	return errors.Join(faults...)
}

// takes reports whether a message is of interest. What is no protocol_v2 is so only where none of its fields is asked for.
func (f *hearing) takes(h *heard) bool {
	m := h.decoded
	if f.source != "" && f.source != h.Source && (m == nil || f.source != m.SourceName && f.source != strconv.Itoa(int(m.Source))) {
		return false
	}
	if f.domain == "" && f.kind == "" && f.instrument == "" {
		return true
	}
	if m == nil || f.domain != "" && f.domain != m.Domain {
		return false
	}
	kind, instrument := f.kind == "", f.instrument == ""
	for _, t := range m.TLVs {
		kind = kind || strings.EqualFold(f.kind, t.Name) || f.kind == strconv.Itoa(int(t.Type))
		instrument = instrument || mentions(t.Fields, f.asset)
	}
	return kind && instrument
}

// mentions reports whether a field of a decoded TLV, however deep, is an instrument with that asset id.
func mentions(fields any, asset uint64) bool {
	b, err := json.Marshal(fields)
	if err != nil {
		return false
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var v any
	return d.Decode(&v) == nil && within(v, strconv.FormatUint(asset, 10))
}

func within(v any, asset string) bool {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			if within(one, asset) {
				return true
			}
		}
	case map[string]any:
		for key, one := range v {
			if strings.HasSuffix(key, "asset_id") && fmt.Sprint(one) == asset || within(one, asset) {
				return true
			}
		}
	}
	return false
}
