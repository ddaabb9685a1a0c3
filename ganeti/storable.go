package ganeti

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxNumber bounds a number's exponent and, roughly, its digits: PostgreSQL's
// numeric ends at 131,072 digits, every reader's float64 at an exponent of 308.
const maxNumber = 300

// Storable makes an item's JSON safe to store and to show. What PostgreSQL's
// jsonb or strict JSON refuses is replaced: NaN, Infinity and numbers with an
// exponent beyond ±300 by null; \u0000, lone surrogates and bytes that are not
// UTF-8 by U+FFFD. The values of secret keys become "[redacted]" at any depth.
//
// The result is always valid JSON; it is raw itself, without any allocation,
// when nothing had to be replaced. The error says at which byte the item stops
// being JSON, or that it nests more than 100 deep.
func Storable(raw []byte) ([]byte, error) { return rewrite(raw, true) }

// repair is Storable without the redaction.
func repair(raw []byte) ([]byte, error) { return rewrite(raw, false) }

func rewrite(raw []byte, redact bool) ([]byte, error) {
	w := rewriter{in: raw, redact: redact}
	w.space()
	if err := w.value(1); err != nil {
		return nil, err
	}
	if w.space(); w.pos < len(raw) {
		return nil, w.errorf("bytes follow after the end of the JSON")
	}
	if w.edits == 0 {
		return raw, nil
	}
	return append(w.out, raw[w.copied:]...), nil
}

// rewriter walks over one JSON value, checks its grammar and copies it to out
// from the first edit on.
type rewriter struct {
	in     []byte
	pos    int
	redact bool

	out    []byte
	copied int // in[:copied] is in out
	edits  int
}

func (w *rewriter) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: byte %d: %s", ErrNotJSON, w.pos, fmt.Sprintf(format, args...))
}

// edit replaces in[from:to].
func (w *rewriter) edit(from, to int, with string) {
	if w.out == nil {
		w.out = make([]byte, 0, len(w.in)+64)
	}
	w.out = append(w.out, w.in[w.copied:from]...)
	w.out = append(w.out, with...)
	w.copied = to
	w.edits++
}

// peek returns the next byte, 0 at the end; a NUL is never valid here.
func (w *rewriter) peek() byte {
	if w.pos < len(w.in) {
		return w.in[w.pos]
	}
	return 0
}

func (w *rewriter) space() {
	for w.pos < len(w.in) && isSpace(w.in[w.pos]) {
		w.pos++
	}
}

func (w *rewriter) value(depth int) error {
	switch b := w.peek(); b {
	case '{', '[':
		if depth > maxDepth {
			return w.errorf("nested more than %d deep", maxDepth)
		}
		if b == '{' {
			return w.object(depth)
		}
		return w.array(depth)
	case '"':
		return w.text()
	case 't':
		return w.word("true")
	case 'f':
		return w.word("false")
	case 'n':
		return w.word("null")
	case 'N':
		return w.notFinite("NaN")
	case 'I':
		return w.notFinite("Infinity")
	default:
		return w.number()
	}
}

func (w *rewriter) word(word string) error {
	if len(w.in)-w.pos < len(word) || string(w.in[w.pos:w.pos+len(word)]) != word {
		return w.errorf("no JSON value")
	}
	w.pos += len(word)
	return nil
}

func (w *rewriter) notFinite(word string) error {
	start := w.pos
	if err := w.word(word); err != nil {
		return err
	}
	w.edit(start, w.pos, "null")
	return nil
}

func (w *rewriter) array(depth int) error {
	w.pos++
	if w.space(); w.peek() == ']' {
		w.pos++
		return nil
	}
	for {
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.space()
		switch w.peek() {
		case ',':
			w.pos++
			w.space()
		case ']':
			w.pos++
			return nil
		default:
			return w.errorf("a comma or ] is missing")
		}
	}
}

func (w *rewriter) object(depth int) error {
	w.pos++
	if w.space(); w.peek() == '}' {
		w.pos++
		return nil
	}
	for {
		if err := w.member(depth); err != nil {
			return err
		}
		w.space()
		switch w.peek() {
		case ',':
			w.pos++
			w.space()
		case '}':
			w.pos++
			return nil
		default:
			return w.errorf("a comma or } is missing")
		}
	}
}

func (w *rewriter) member(depth int) error {
	if w.peek() != '"' {
		return w.errorf("a name is missing")
	}
	name := w.pos + 1
	if err := w.text(); err != nil {
		return err
	}
	hide := w.redact && isSecret(w.in[name:w.pos-1])
	if w.space(); w.peek() != ':' {
		return w.errorf("a colon is missing")
	}
	w.pos++
	w.space()
	if !hide {
		return w.value(depth + 1)
	}
	start, out, copied := w.pos, len(w.out), w.copied
	if err := w.value(depth + 1); err != nil {
		return err
	}
	switch string(w.in[start:w.pos]) {
	case "null", `""`, "{}", "[]": // nothing to hide
	default:
		w.out, w.copied = w.out[:out], copied // edits inside are void
		w.edit(start, w.pos, `"`+redacted+`"`)
	}
	return nil
}

// text walks over a string.
func (w *rewriter) text() error {
	w.pos++
	for w.pos < len(w.in) {
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
	if zero := w.peek() == '0'; w.digits() == 0 {
		return w.errorf("no JSON value")
	} else if zero && w.in[w.pos-1] != '0' || zero && w.pos-start > 2 {
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
		from := w.pos
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

// isSecret reports whether a name, given as the bytes between its quotes, is
// on the list.
func isSecret(name []byte) bool {
	if slices.Contains(name, '\\') {
		name = unescapeName(name)
	}
	var lower [maxSecretName]byte
	if len(name) > len(lower) {
		return false
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return secretName(string(lower[:len(name)]))
}
