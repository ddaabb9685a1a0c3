// Package printable makes visible what a terminal would act on or not show. Tenants choose names and tags, and Ganeti passes
// on what they chose: an escape sequence, a right-to-left override or a zero-width space among it makes a line say what it
// does not mean.
//
// Such a character is written as \u and four hexadecimal digits, as JSON has it, those beyond U+FFFF as a surrogate pair. So
// JSON keeps its meaning, to the character.
package printable

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Rune says whether a character shows and does nothing else. Line feeds and tabs do not, within a value.
//
// Not printable are control characters (C0, DEL, C1), format characters (those that change the direction of text or have no
// width among them), line and paragraph separators, private and unassigned code points, and what Unicode calls default
// ignorable, variation selectors included.
func Rune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	if !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) {
		return false
	}
	return !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Text makes a value fit for a line: every character shows, and bytes that are no UTF-8 show as U+FFFD.
func Text(s string) string {
	if i := strings.IndexFunc(s, unfit); i < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unfit(r):
			b.Write(escape(nil, r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unfit(r rune) bool { return !Rune(r) }

// JSON escapes what is not printable in an encoded JSON document, whose meaning stays. It may return doc itself.
func JSON(doc []byte) []byte {
	clean, _ := appendPrintable(nil, doc, true)
	if clean == nil {
		return doc
	}
	return clean
}

// Writer passes text on with everything in it made visible but line feeds and tabs. It is for whole streams, JSON or not,
// and safe for concurrent use.
type Writer struct {
	w  io.Writer
	mu sync.Mutex
	// half is the beginning of a character whose end has not been written yet.
	half []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Unwrap returns the writer behind it, to which cursor movements may be written.
func (w *Writer) Unwrap() io.Writer { return w.w }

// Write implements [io.Writer]. It reports p as written or not at all.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := p
	if len(w.half) > 0 {
		text = slices.Concat(w.half, p)
		w.half = nil
	}
	clean, rest := appendPrintable(nil, text, false)
	w.half = append(w.half, rest...)
	if clean == nil {
		clean = text[:len(text)-len(rest)]
	}
	if len(clean) == 0 {
		return len(p), nil
	}
	if _, err := w.w.Write(clean); err != nil {
		return 0, fmt.Errorf("writing: %w", err)
	}
	return len(p), nil
}

// appendPrintable appends text with what is not printable escaped; nil when nothing had to be. rest is the beginning of a
// character at the end, unless text is all there is.
func appendPrintable(out, text []byte, all bool) (clean, rest []byte) {
	done := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf && (c >= ' ' && c != 0x7f || c == '\n' || c == '\t') {
			i++
			continue
		}
		if !all && !utf8.FullRune(text[i:]) {
			rest = text[i:]
			text = text[:i]
			break
		}
		r, size := utf8.DecodeRune(text[i:])
		if invalid := r == utf8.RuneError && size == 1; invalid || !Rune(r) {
			out = append(out, text[done:i]...)
			if invalid {
				out = utf8.AppendRune(out, utf8.RuneError)
			} else {
				out = escape(out, r)
			}
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return nil, rest
	}
	return append(out, text[done:]...), rest
}

// escape appends a character as JSON escapes it.
func escape(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
