package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport/tlv"
)

// decodeFramings are the values of decode --framing.
var decodeFramings = map[string]tlv.Framing{"none": tlv.FramingNone, "le": tlv.FramingLE, "be": tlv.FramingBE}

func newDecode() *cobra.Command {
	framing := "none"
	c := &cobra.Command{
		Use:   "decode",
		Short: "Print protocol_v2 messages from stdin, bytes or hex, as JSON lines",
		Long: "Reads protocol_v2 messages in either dialect from stdin, as bytes or as hex text, and prints one JSON\n" +
			"object a line for each message and each run of bytes that belongs to none (docs/decode.md).\n" +
			"Exit code 1 when any message was refused or any bytes were skipped.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, ok := decodeFramings[framing]
			if !ok {
				return exit(exitUsage, fmt.Errorf("decode: framing %q is not none, le or be", framing))
			}
			return decode(c.InOrStdin(), c.OutOrStdout(), f)
		},
	}
	c.Flags().StringVar(&framing, "framing", framing, "length in front of each message: none, le or be (u32)")
	return c
}

// decode copies the messages of in to out as JSON lines.
func decode(in io.Reader, out io.Writer, f tlv.Framing) error {
	// The tool shows what is there: both numberings, unset checksums in every domain.
	p := tlv.Parser{Numbering: tlv.GuessNumbering, Checksums: tlv.Policies{MarketData: tlv.PolicyLenient,
		Signal: tlv.PolicyLenient, Execution: tlv.PolicyLenient, System: tlv.PolicyLenient}}
	s := tlv.NewStream(f, &p)
	src, err := hexOrBytes(in)
	w := bufio.NewWriter(out)
	for err == nil {
		if _, err = s.Fill(src); err == io.EOF {
			s.End()
		}
		if werr := errors.Join(printAll(s, w), w.Flush()); werr != nil {
			return exit(exitRuntime, fmt.Errorf("decode: %w", werr))
		}
	}
	if err != io.EOF {
		return exit(exitRuntime, fmt.Errorf("decode: input: %w", err))
	}
	if st := s.Stats(); st.Faulty > 0 || st.Skipped > 0 {
		return exit(exitCheck, fmt.Errorf("decode: %d messages good, %d refused, %d bytes skipped in %d runs",
			st.Messages, st.Faulty, st.Skipped, st.Skips))
	}
	return nil
}

// printAll writes a line for everything the stream has to say so far.
func printAll(s *tlv.Stream, w io.Writer) error {
	lines := json.NewEncoder(w)
	for {
		m, err := s.Next()
		if err == tlv.ErrMore || err == io.EOF {
			return nil
		}
		if err := lines.Encode(decodedLine(m, s.Offset(), err)); err != nil {
			return err
		}
	}
}

// hexHead is how many bytes decide between hex text and bytes, however many arrive together.
const hexHead = 8

// hexOrBytes reads r as hex text when its first bytes are nothing but hex digits and white space.
func hexOrBytes(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(hexHead)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, c := range head {
		if _, digit := hexDigit(c); !digit && !hexSpace(c) {
			return b, nil
		}
	}
	return &hexReader{r: b}, nil
}

// hexReader turns hex text, white space anywhere, into bytes.
type hexReader struct {
	r    *bufio.Reader
	high byte
	half bool // high holds the first digit of a byte
	at   int64
}

// Read fills p from what is buffered, blocking only for its first byte.
func (h *hexReader) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || h.r.Buffered() > 0) {
		c, err := h.r.ReadByte()
		if err == io.EOF && h.half {
			err = fmt.Errorf("odd number of hex digits: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return n, err
		}
		h.at++
		d, digit := hexDigit(c)
		switch {
		case hexSpace(c):
		case !digit:
			return n, fmt.Errorf("character %q at %d in hex text", c, h.at-1)
		case h.half:
			p[n], n, h.half = h.high<<4|d, n+1, false
		default:
			h.high, h.half = d, true
		}
	}
	return n, nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func hexSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
