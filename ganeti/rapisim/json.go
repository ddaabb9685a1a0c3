package rapisim

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// writer builds JSON the way Python's json.dumps does: ", " and ": " as
// separators, ASCII only, keys in the order they are written. Its last byte
// tells whether a separator is due, so it keeps no other state.
type writer []byte

func (w *writer) raw(s string)    { *w = append(*w, s...) }
func (w *writer) open(c byte)     { *w = append(*w, c) }
func (w *writer) close(c byte)    { *w = append(*w, c) }
func (w *writer) null()           { w.raw("null") }
func (w *writer) int(n int)       { *w = strconv.AppendInt(*w, int64(n), 10) }
func (w *writer) bool(v bool)     { *w = strconv.AppendBool(*w, v) }
func (w *writer) string(s string) { *w = appendString(*w, s) }

// next separates what follows from the element or pair before it, if any.
func (w *writer) next() {
	if last := (*w)[len(*w)-1]; last != '{' && last != '[' {
		w.raw(", ")
	}
}

func (w *writer) key(k string) {
	w.next()
	w.string(k)
	w.raw(": ")
}

// float writes seconds as Python's repr does: the shortest text that reads
// back the same, and never without a fraction.
func (w *writer) float(f float64) {
	*w = strconv.AppendFloat(*w, f, 'f', -1, 64)
	if f == math.Trunc(f) {
		w.raw(".0")
	}
}

func (w *writer) stringOrNull(s string) {
	if s == "" {
		w.null()
		return
	}
	w.string(s)
}

func (w *writer) intOrNull(n int, known bool) {
	if !known {
		w.null()
		return
	}
	w.int(n)
}

func (w *writer) strings(list []string) { writeList(w, list, w.string) }

// writeList writes an array, each element by write.
func writeList[T any](w *writer, list []T, write func(T)) {
	w.open('[')
	for _, v := range list {
		w.next()
		write(v)
	}
	w.close(']')
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			for _, u := range utf16.AppendRune(nil, r) {
				b = append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
			}
		}
	}
	return append(b, '"')
}
