package ganeti

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxNumber bounds a number's exponent and, roughly, its digits: PostgreSQL's
// numeric ends at 131,072 digits, every reader's float64 at an exponent of 308.
const maxNumber = 300

// text walks over a string.
func (w *rewriter) text() error {
	w.pos++
	for w.skipPlain(); w.pos < len(w.in); w.skipPlain() {
		switch b := w.in[w.pos]; {
		case b == '"':
			w.pos++
			return nil
		case b == '\\':
			if err := w.escape(); err != nil {
				return err
			}
		case b < ' ':
			return w.errorf("a control character in a string")
		case b < utf8.RuneSelf:
			w.pos++
		default:
			r, size := utf8.DecodeRune(w.in[w.pos:])
			if r == utf8.RuneError && size == 1 {
				w.edit(w.pos, w.pos+1, "\ufffd")
			}
			w.pos += size
		}
	}
	return w.errorf("a string is not closed")
}

// skipPlain moves over bytes of a string that need no look, eight at a time:
// ASCII without control characters, quotes and backslashes.
func (w *rewriter) skipPlain() {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for w.pos+8 <= len(w.in) {
		x := binary.LittleEndian.Uint64(w.in[w.pos:])
		quote, backslash := x^(ones*'"'), x^(ones*'\\') // 0 where one is
		found := (x | (x-ones*' ')&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & highs
		if found != 0 { // the lowest of the marks is exact, whatever carries made of the others
			w.pos += bits.TrailingZeros64(found) / 8
			return
		}
		w.pos += 8
	}
}

func (w *rewriter) escape() error {
	if w.pos+1 >= len(w.in) {
		return w.errorf("a string is not closed")
	}
	switch w.in[w.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		w.pos += 2
		return nil
	case 'u':
		return w.unicodeEscape()
	default:
		return w.errorf("an unknown escape in a string")
	}
}

func (w *rewriter) unicodeEscape() error {
	const size = len(`\u0000`)
	r, ok := w.hex4(w.pos)
	if !ok {
		return w.errorf("an unknown escape in a string")
	}
	switch {
	case r >= 0xd800 && r < 0xdc00: // the first half of a pair
		if low, ok := w.hex4(w.pos + size); ok && low >= 0xdc00 && low < 0xe000 {
			w.pos += 2 * size
			return nil
		}
		fallthrough
	case r >= 0xdc00 && r < 0xe000, r == 0:
		w.edit(w.pos, w.pos+size, `\ufffd`)
	}
	w.pos += size
	return nil
}

// hex4 reads the \uXXXX at a place, if there is one.
func (w *rewriter) hex4(at int) (rune, bool) {
	if at+6 > len(w.in) || w.in[at] != '\\' || w.in[at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, b := range w.in[at+2 : at+6] {
		switch {
		case b >= '0' && b <= '9':
			r = r<<4 | rune(b-'0')
		case b >= 'a' && b <= 'f':
			r = r<<4 | rune(b-'a'+10)
		case b >= 'A' && b <= 'F':
			r = r<<4 | rune(b-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (w *rewriter) number() error {
	start := w.pos
	if w.peek() == '-' {
		w.pos++
		if w.peek() == 'I' {
			w.pos--
			return w.notFinite("-Infinity")
		}
	}
	from := w.pos
	switch n := w.digits(); {
	case n == 0:
		return w.errorf("no JSON value")
	case n > 1 && w.in[from] == '0':
		return w.errorf("a number starts with 0")
	}
	if w.peek() == '.' {
		w.pos++
		if w.digits() == 0 {
			return w.errorf("a number ends with its point")
		}
	}
	huge := w.pos-start > maxNumber
	if b := w.peek(); b == 'e' || b == 'E' {
		w.pos++
		if b := w.peek(); b == '+' || b == '-' {
			w.pos++
		}
		from = w.pos
		if w.digits() == 0 {
			return w.errorf("a number ends with its exponent")
		}
		huge = huge || exceeds(w.in[from:w.pos], maxNumber)
	}
	if huge {
		w.edit(start, w.pos, "null")
	}
	return nil
}

func (w *rewriter) digits() int {
	start := w.pos
	for b := w.peek(); b >= '0' && b <= '9'; b = w.peek() {
		w.pos++
	}
	return w.pos - start
}

// exceeds compares a row of digits of any length with a limit.
func exceeds(digits []byte, limit int) bool {
	n := 0
	for _, b := range digits {
		if n = 10*n + int(b-'0'); n > limit {
			return true
		}
	}
	return false
}
