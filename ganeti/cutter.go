package ganeti

import (
	"bytes"
	"fmt"
)

// cutter finds the end of one JSON value without looking at what it says: it
// follows strings, escapes and depth, nothing else. Whether the value is valid
// is the decoder's business. It keeps its place, so that after more bytes have
// arrived nothing is scanned twice.
type cutter struct {
	pos      int
	depth    int
	inString bool
}

// cut returns the next value of the window without consuming it.
func cut(w *window) ([]byte, error) {
	var c cutter
	for {
		b := w.bytes()
		n, ok := c.scan(b)
		if ok && !c.closes(b, n) {
			return nil, w.foreign("brackets do not match")
		}
		switch {
		case ok && n > maxItem, !ok && len(b) > maxItem:
			return nil, fmt.Errorf("%w: an item of more than %d bytes", ErrTooLarge, maxItem)
		case ok && n == 0:
			return nil, w.foreign("no JSON value")
		case ok:
			return b[:n], nil
		case !w.ensure(len(b) + 1):
			return nil, w.ended("an item is not closed")
		}
	}
}

// scan looks at b, which starts with the value's first byte and has grown
// since the last call. It returns the value's length, 0 if none starts here.
func (c *cutter) scan(b []byte) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	switch b[0] {
	case '{', '[':
		return c.container(b)
	case '"':
		c.pos = max(c.pos, 1)
		if c.skipString(b) {
			return c.pos, true
		}
		return 0, false
	default:
		return c.scalar(b)
	}
}

// container counts brackets outside of strings.
func (c *cutter) container(b []byte) (n int, ok bool) {
	if c.inString && !c.skipString(b) {
		return 0, false
	}
	i, depth := c.pos, c.depth
	for i < len(b) {
		switch b[i] {
		case '"':
			c.pos = i + 1
			if !c.skipString(b) {
				c.depth = depth
				return 0, false
			}
			i = c.pos
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	c.pos, c.depth = i, depth
	return 0, false
}

// skipString moves from inside a string to the byte after its closing quote.
func (c *cutter) skipString(b []byte) bool {
	for {
		k := bytes.IndexByte(b[c.pos:], '"')
		if k < 0 {
			c.pos, c.inString = len(b), true
			return false
		}
		c.pos += k + 1
		if !escaped(b, c.pos-1) {
			c.inString = false
			return true
		}
	}
}

// escaped reports whether an odd number of backslashes precedes b[i]. They all
// belong to the string, since its opening quote is none.
func escaped(b []byte, i int) bool {
	odd := false
	for i--; b[i] == '\\'; i-- {
		odd = !odd
	}
	return odd
}

// scalar ends before the first byte that cannot belong to a number or a word,
// which therefore has to be there.
func (c *cutter) scalar(b []byte) (n int, ok bool) {
	for i := c.pos; i < len(b); i++ {
		switch ch := b[i]; {
		case ch >= '0' && ch <= '9', ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch == '-', ch == '+', ch == '.':
		default:
			return i, true
		}
	}
	c.pos = len(b)
	return 0, false
}

// closes reports whether the last byte closes what the first one opened.
func (c *cutter) closes(b []byte, n int) bool {
	switch b[0] {
	case '{':
		return b[n-1] == '}'
	case '[':
		return b[n-1] == ']'
	default:
		return true
	}
}

// cutObject reads a body that is one JSON object.
func cutObject(w *window) ([]byte, error) {
	first, ok := w.peek()
	if !ok {
		return nil, w.ended("no JSON")
	}
	if first != '{' {
		return nil, w.foreign("not a JSON object")
	}
	item, err := cut(w)
	if err != nil {
		return nil, err
	}
	object := bytes.Clone(item) // trailer may move the window
	w.start += len(item)
	if err := w.trailer(); err != nil {
		return nil, err
	}
	return object, nil
}
