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

// cut returns the next value of the window, and how many bytes of the window
// hold it, without consuming them. Of a value that is too large it returns the
// beginning, which is no JSON.
func cut(w *window) (value []byte, n int, err error) {
	var c cutter
	for {
		b := w.bytes()
		n, ok := c.scan(b)
		switch {
		case (!ok && len(b) > maxItem || n > maxItem) && b[0] != '{' && b[0] != '[':
			return nil, 0, fmt.Errorf("%w: a text of more than %d bytes where an object belongs", ErrTooLarge, maxItem)
		case !ok && len(b) > maxItem:
			return c.skip(w)
		case ok && n == 0:
			return nil, 0, w.foreign("no JSON value")
		case ok && !c.closes(b[0], b[n-1]):
			return nil, 0, w.foreign("brackets do not match")
		case ok && n > maxItem:
			return b[:keptOfLarge], n, nil
		case ok:
			return b[:n], n, nil
		case !w.ensure(len(b) + 1):
			return nil, 0, w.ended("an item is not closed")
		}
	}
}

// keptOfLarge is how much is kept of an item above maxItem, in bytes.
const keptOfLarge = 64 << 10

// skip finds the end of an object or a list of which maxItem bytes have been scanned, and
// consumes all before the bytes that hold it.
func (c *cutter) skip(w *window) (beginning []byte, n int, err error) {
	b := w.bytes()
	open, beginning := b[0], bytes.Clone(b[:keptOfLarge])
	for {
		c.forget(w)
		if !w.ensure(c.pos + 1) {
			return nil, 0, w.ended("an item is not closed")
		}
		b = w.bytes()
		n, ok := c.container(b)
		if ok && !c.closes(open, b[n-1]) {
			return nil, 0, w.foreign("brackets do not match")
		}
		if ok {
			return beginning, n, nil
		}
	}
}

// forget consumes what has been scanned, but for what says whether a quote that
// comes next is escaped.
func (c *cutter) forget(w *window) {
	b := w.bytes()[:c.pos]
	backslashes := 0
	for backslashes < len(b) && b[len(b)-1-backslashes] == '\\' {
		backslashes++
	}
	keep := 1 + backslashes%2
	b[len(b)-keep] = ' '
	w.start += len(b) - keep
	c.pos = keep
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
func (c *cutter) closes(first, last byte) bool {
	switch first {
	case '{':
		return last == '}'
	case '[':
		return last == ']'
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
	item, n, err := cut(w)
	if err != nil {
		return nil, err
	}
	if n > maxItem || len(item) < n {
		return nil, fmt.Errorf("%w: an object of more than %d bytes", ErrTooLarge, maxItem)
	}
	object := bytes.Clone(item) // trailer may move the window
	w.start += n
	if err := w.trailer(); err != nil {
		return nil, err
	}
	return object, nil
}
