package rapisim

import (
	"bytes"
	"encoding/hex"

	"github.com/klauspost/compress/s2"
)

// A packed text takes about a tenth of its size, and unpacks several times as
// fast as TLS encrypts. Before a general compressor sees it, each uuid in it,
// which no compressor makes smaller, becomes a mark and its 16 bytes: that
// alone is worth a quarter.
type packed struct {
	blocks [][]byte
	length int64 // of the text
}

const (
	blockSize = 256 << 10 // of text; two of them are in a processor's cache while they are sent
	uuidSize  = len("01234567-89ab-cdef-0123-456789abcdef")
	uuidMark  = 0xff // not ASCII, so not in the text
)

// pack packs a text, which must be ASCII.
func pack(text []byte) packed {
	p := packed{length: int64(len(text))}
	short := make([]byte, 0, min(len(text), blockSize))
	var small []byte
	for len(text) > 0 {
		block := text[:min(blockSize, len(text))]
		text = text[len(block):]
		short = shorten(short[:0], block)
		small = s2.Encode(small, short)
		p.blocks = append(p.blocks, bytes.Clone(small)) // without the room for a text that cannot be compressed
	}
	return p
}

// unpack yields the text in blocks. Each is good until the next.
func (p packed) unpack(yield func([]byte) bool) {
	size := min(p.length, blockSize)
	short, text := make([]byte, size), make([]byte, 0, size)
	for _, block := range p.blocks {
		plain, err := s2.Decode(short, block)
		if err != nil {
			return // the client sees a body cut short; memory that changes by itself has no better answer
		}
		text = lengthen(text[:0], plain)
		if !yield(text) {
			return
		}
	}
}

// shorten appends text with its uuids in 17 bytes each.
func shorten(b, text []byte) []byte {
	copied := 0
	for i := 0; i+uuidSize <= len(text); {
		raw, found := parseUUID(text[i : i+uuidSize])
		if !found {
			i++
			continue
		}
		b = append(b, text[copied:i]...)
		b = append(append(b, uuidMark), raw[:]...)
		i += uuidSize
		copied = i
	}
	return append(b, text[copied:]...)
}

// lengthen undoes shorten.
func lengthen(b, short []byte) []byte {
	for i := 0; ; {
		n := bytes.IndexByte(short[i:], uuidMark)
		if n < 0 {
			return append(b, short[i:]...)
		}
		b = append(b, short[i:i+n]...)
		i += n + 1
		b = appendUUID(b, short[i:i+16])
		i += 16
	}
}

// parseUUID reads a uuid as Ganeti writes it, in small letters.
func parseUUID(text []byte) (raw [16]byte, ok bool) {
	if text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return raw, false
	}
	at := 0
	for _, digits := range [][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:36]} {
		n, err := hex.Decode(raw[at:], digits)
		if err != nil {
			return raw, false
		}
		at += n
	}
	return raw, bytes.Equal(appendUUID(nil, raw[:]), text) // capital letters would come back small
}

func appendUUID(b, raw []byte) []byte {
	b = hex.AppendEncode(b, raw[:4])
	for _, part := range [][]byte{raw[4:6], raw[6:8], raw[8:10], raw[10:16]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return b
}
