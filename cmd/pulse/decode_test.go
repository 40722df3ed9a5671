package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

type goldenMessage struct {
	Name   string                          `json:"name"`
	Hex    string                          `json:"hex"`
	Wire   map[string]any                  `json:"wire_header"`
	CRCOK  bool                            `json:"crc_matches"`
	Fields struct{ TLVs []map[string]any } `json:"fields"`
}

func decodeGolden(t *testing.T, file string) []goldenMessage {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "tlv", "testdata", "golden", file))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []goldenMessage }
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all.Vectors
}

// runDecode runs the verb and returns its lines and exit code.
func runDecode(t *testing.T, in io.Reader, args ...string) (lines []map[string]any, code int) {
	t.Helper()
	var out bytes.Buffer
	c := newDecode()
	c.SetArgs(append([]string{}, args...))
	c.SetIn(in)
	c.SetOut(&out)
	c.SilenceErrors, c.SilenceUsage = true, true
	var coded *exitError
	if err := c.Execute(); errors.As(err, &coded) {
		code = coded.code
	} else if err != nil {
		code = exitUsage
	}
	for _, l := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if l == "" {
			continue
		}
		var line map[string]any
		d := json.NewDecoder(strings.NewReader(l))
		d.UseNumber()
		if err := d.Decode(&line); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		lines = append(lines, line)
	}
	return lines, code
}

func TestDecodePrintsTheGoldenMessages(t *testing.T) {
	for file, dialect := range map[string]string{
		"aligned_messages.json": "aligned", "packed_messages.json": "packed", "torq_messages.json": "aligned",
	} {
		for _, v := range decodeGolden(t, file) {
			raw, _ := hex.DecodeString(v.Hex)
			for form, in := range map[string]io.Reader{
				"hex": strings.NewReader(v.Hex[:10] + "\n " + strings.ToUpper(v.Hex[10:]) + "\n"), "bytes": bytes.NewReader(raw),
			} {
				lines, code := runDecode(t, in)
				if len(lines) != 1 || code != 0 {
					t.Fatalf("%s %s: code %d, %v", v.Name, form, code, lines)
				}
				compareLine(t, v, lines[0], dialect)
			}
		}
	}
}

func compareLine(t *testing.T, v goldenMessage, line map[string]any, dialect string) {
	t.Helper()
	state := map[bool]string{true: "ok", false: "unset"}[v.CRCOK]
	if line["dialect"] != dialect || line["checksum_state"] != state {
		t.Errorf("%s: %v %v", v.Name, line["dialect"], line["checksum_state"])
	}
	for k, want := range v.Wire {
		got := line[strings.TrimSuffix(k, "_ns")]
		if k == "magic" || k == "checksum" {
			var n uint64
			fmt.Sscan(fmt.Sprint(got), &n)
			got = fmt.Sprintf("0x%08x", n)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s = %v, want %v", v.Name, k, got, want)
		}
	}
	tlvs := line["tlvs"].([]any)
	if v.Fields.TLVs != nil && len(tlvs) != len(v.Fields.TLVs) {
		t.Fatalf("%s: %d tlvs", v.Name, len(tlvs))
	}
	for i, want := range v.Fields.TLVs {
		got := tlvs[i].(map[string]any)
		fields, typed := got["fields"].(map[string]any)
		if _, opaque := got["opaque"]; opaque == typed || fmt.Sprint(got["type"]) != fmt.Sprint(want["type"]) {
			t.Errorf("%s: %v", v.Name, got)
		}
		for _, k := range []string{"asset_id", "price", "volume", "side", "venue_id", "venue", "reserve0", "pool_address",
			"amount_in", "tick", "tick_after", "sequence", "last_sequence", "instrument_count", "snapshot_id", "block_number"} {
			if w, ok := want[k]; ok && fmt.Sprint(fields[k]) != fmt.Sprint(w) {
				t.Errorf("%s: %s = %v, want %v", v.Name, k, fields[k], w)
			}
		}
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for _, v := range decodeGolden(t, "aligned_negative.json") {
		lines, code := runDecode(t, strings.NewReader(v.Hex))
		if v.Name == "neg_domain_0" {
			if code != 0 {
				t.Error("domain 0 is market data in the other numbering")
			}
			continue
		}
		last := lines[len(lines)-1]
		e, ok := last["error"].(map[string]any)
		if code != exitCheck || !ok || e["kind"] == "" || e["offset"] == nil {
			t.Errorf("%s: code %d, %v", v.Name, code, last)
		}
		if v.Name == "neg_payload_bitflip" && last["checksum_state"] != "bad" {
			t.Errorf("%s: %v", v.Name, last["checksum_state"])
		}
	}
}

func TestDecodeReadsStreamsAndFrames(t *testing.T) {
	for _, v := range decodeGolden(t, "derived.json") {
		raw, _ := hex.DecodeString(v.Hex)
		args, want, wantCode := []string{}, 1, 0
		switch v.Name {
		case "frame_u32_be_trade":
			args = []string{"--framing", "be"}
		case "raw_stream_five_messages":
			want = 5
		case "raw_stream_truncated_then_message", "torq_simple_envelope_trade":
			want, wantCode = 2, exitCheck
		case "stream_sequence_gaps":
			want = 8
		case "mixed_dialect_stream":
			want = 4
		}
		lines, code := runDecode(t, iotest.OneByteReader(bytes.NewReader(raw)), args...)
		if len(lines) != want || code != wantCode {
			t.Errorf("%s: %d lines, code %d", v.Name, len(lines), code)
		}
		if v.Name == "frame_u32_be_trade" {
			raw[0], raw[3] = raw[3], raw[0]
			if lines, code = runDecode(t, bytes.NewReader(raw), "--framing=le"); len(lines) != 1 || code != 0 {
				t.Errorf("le: %d lines, code %d", len(lines), code)
			}
		}
	}
}

func TestDecodeExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		in   io.Reader
		args []string
		want int
	}{
		"nothing":     {strings.NewReader(""), nil, 0},
		"framing":     {strings.NewReader(""), []string{"--framing", "tcp"}, exitUsage},
		"argument":    {strings.NewReader(""), []string{"file"}, exitUsage},
		"odd hex":     {strings.NewReader("efbeadde0"), nil, exitRuntime},
		"broken hex":  {strings.NewReader(strings.Repeat("ef", 3000) + "x"), nil, exitRuntime},
		"broken pipe": {iotest.ErrReader(io.ErrClosedPipe), nil, exitRuntime},
		"garbage":     {strings.NewReader("no messages here"), nil, exitCheck},
	} {
		if _, code := runDecode(t, c.in, c.args...); code != c.want {
			t.Errorf("%s: code %d, want %d", name, code, c.want)
		}
	}
	c := newDecode()
	c.SetArgs(nil)
	c.SetIn(strings.NewReader("garbage in bytes"))
	c.SetOut(failingWriter{})
	c.SilenceErrors, c.SilenceUsage = true, true
	var coded *exitError
	if err := c.Execute(); !errors.As(err, &coded) || coded.code != exitRuntime {
		t.Errorf("unwritable output: %v", err)
	}
}

func TestBrokenHexIsToldByPlaceAndNotByTiming(t *testing.T) {
	for at, want := range map[int]int{0: exitCheck, 7: exitCheck, 8: exitRuntime, 9: exitRuntime, 100: exitRuntime, 5000: exitRuntime} {
		text := []byte(strings.Repeat("ef", 3000))
		text[at] = 'x'
		for name, in := range map[string]io.Reader{
			"whole": bytes.NewReader(text), "bytes": iotest.OneByteReader(bytes.NewReader(text)),
			"halves": iotest.HalfReader(bytes.NewReader(text)), "last with the end": iotest.DataErrReader(bytes.NewReader(text)),
			"two portions": io.MultiReader(bytes.NewReader(text[:5]), bytes.NewReader(text[5:])),
		} {
			if _, code := runDecode(t, in); code != want {
				t.Errorf("wrong digit at %d, %s: code %d, want %d", at, name, code, want)
			}
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
