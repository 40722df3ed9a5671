// Package pcapng writes captured messages as a pcapng file (draft-ietf-opsawg-pcapng), which Wireshark, tshark and libpcap read.
//
// The life of one message: Interface names where it comes from, once; Packet writes its bytes with the time and comments. Each block
// leaves in one write, so that a file cut short is whole up to its last block.
//
// # Limits
//
// One section, little-endian, times in nanoseconds. A comment is at most 65535 bytes.
package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// LinkUser0 is the type of link that is left to private use (LINKTYPE_USER0): the bytes are what both sides agree they are.
const LinkUser0 = 147

// Blocks and options, by the numbers of the draft.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6 // enhanced

	optionEnd         = 0
	optionComment     = 1
	optionApplication = 4 // of a section
	optionName        = 2 // of an interface
	optionResolution  = 9 // of an interface

	byteOrder  = 0x1a2b3c4d
	nanosecond = 9 // 10^-9
)

// ErrTooLarge: a message or a comment is larger than the format has room for. The caller cuts it.
var ErrTooLarge = errors.New("pcapng: too large")

// Writer writes one section. It belongs to one goroutine. The zero Writer is not valid.
type Writer struct {
	w          io.Writer
	block      []byte
	interfaces int
}

// NewWriter begins a section. by names the program.
func NewWriter(w io.Writer, by string) (*Writer, error) {
	p := &Writer{w: w}
	p.begin(blockSection)
	p.u32(byteOrder)
	p.u16(1)
	p.u16(0)
	p.u32(math.MaxUint32) // the section's length is not known
	p.u32(math.MaxUint32)
	p.option(optionApplication, []byte(by))
	return p, p.end()
}

// Interface adds a place that messages come from, and returns its number.
func (p *Writer) Interface(name string, link uint16) (int, error) {
	p.begin(blockInterface)
	p.u16(link)
	p.u16(0)
	p.u32(0) // messages are whole
	p.option(optionName, []byte(name))
	p.option(optionResolution, []byte{nanosecond})
	p.interfaces++
	return p.interfaces - 1, p.end()
}

// Packet writes a message of an interface.
func (p *Writer) Packet(of int, at time.Time, data []byte, comments ...string) error {
	if of < 0 || of >= p.interfaces {
		return fmt.Errorf("pcapng: interface %d of %d", of, p.interfaces)
	}
	size := len(data)
	for _, c := range comments {
		if size += len(c); len(c) > math.MaxUint16 {
			return fmt.Errorf("%w: comment of %d bytes", ErrTooLarge, len(c))
		}
	}
	if size > math.MaxInt32/2 {
		return fmt.Errorf("%w: message of %d bytes", ErrTooLarge, len(data))
	}
	ns := uint64(at.UnixNano())
	p.begin(blockPacket)
	p.u32(uint32(of))
	p.u32(uint32(ns >> 32))
	p.u32(uint32(ns))
	p.u32(uint32(len(data)))
	p.u32(uint32(len(data)))
	p.padded(data)
	for _, c := range comments {
		p.option(optionComment, []byte(c))
	}
	return p.end()
}

// begin opens a block: its type, and room for its length.
func (p *Writer) begin(kind uint32) {
	p.block = p.block[:0]
	p.u32(kind)
	p.u32(0)
}

// end closes the options, puts the length at both ends and writes the block.
func (p *Writer) end() error {
	p.u32(optionEnd)
	size := uint32(len(p.block) + 4)
	p.u32(size)
	binary.LittleEndian.PutUint32(p.block[4:], size)
	_, err := p.w.Write(p.block)
	return err
}

func (p *Writer) option(code uint16, value []byte) {
	value = value[:min(len(value), math.MaxUint16)]
	p.u16(code)
	p.u16(uint16(len(value)))
	p.padded(value)
}

// padded appends b and zeroes up to a multiple of four.
func (p *Writer) padded(b []byte) {
	p.block = append(p.block, b...)
	p.block = append(p.block, make([]byte, -len(b)&3)...)
}

func (p *Writer) u16(v uint16) { p.block = binary.LittleEndian.AppendUint16(p.block, v) }
func (p *Writer) u32(v uint32) { p.block = binary.LittleEndian.AppendUint32(p.block, v) }
