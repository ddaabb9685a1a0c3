package ganeti

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

const (
	// bufferSize holds some dozens of items. More does not read faster, as TLS
	// hands over 16 KiB at a time, and less moves the cut item more often.
	bufferSize = 64 << 10
	// keepBuffer is the largest buffer that is kept for the next answer.
	keepBuffer = 1 << 20
	// maxItem bounds one item of a bulk answer, and a whole small answer. A
	// network of a /16 has a map of 64 KiB; nothing comes near 16 MiB.
	maxItem = 16 << 20
	// minItem is how long the items of a large answer are at least, on average;
	// Ganeti's smallest objects, groups and networks, have some hundred bytes.
	// What is remembered and stored of each item costs about as much memory, so
	// that an answer of millions of tiny ones would escape max_body.
	minItem = 256
	// manyItems is how many items any answer may have, however short.
	manyItems = 10_000
	// maxIdleReads is how many reads in a row may bring nothing.
	maxIdleReads = 100
)

// newBuffers returns a free list of read buffers, shared by the clients of a
// pool, so that it holds as many as there are requests at a time.
func newBuffers() *sync.Pool {
	return &sync.Pool{New: func() any { return new([]byte) }}
}

// buffer takes a read buffer for a body of the given length (-1: unknown).
func (c *Client) buffer(length int64) *[]byte {
	buf, ok := c.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	if len(*buf) == 0 {
		size := int64(bufferSize)
		if length >= 0 {
			size = min(size, max(length+1, 4<<10))
		}
		*buf = make([]byte, size)
	}
	return buf
}

// window is the part of a body that has been read and not consumed: a buffer
// that slides over the stream and grows only for an item that does not fit.
type window struct {
	r          io.Reader
	buf        []byte
	start, end int   // buf[start:end] is unconsumed
	read, max  int64 // of the whole body
	err        error // why nothing more comes
	eof        bool  // because the body has ended, as it should
}

func newWindow(r io.Reader, buf []byte, limit int64) *window {
	return &window{r: r, buf: buf, max: limit}
}

// release gives the buffer back for reuse, or none if it has grown too large.
func (w *window) release() []byte {
	if len(w.buf) > keepBuffer {
		return nil
	}
	return w.buf
}

// maxItems is how many items an answer of the largest size may have.
func (w *window) maxItems() int64 { return max(manyItems, w.max/minItem) }

func (w *window) bytes() []byte { return w.buf[w.start:w.end] }

// ensure makes at least n bytes available, or reports that the body ended.
func (w *window) ensure(n int) bool {
	for w.end-w.start < n {
		if w.err != nil {
			return false
		}
		w.makeRoom(n)
		w.fill()
	}
	return true
}

// makeRoom lets the buffer take n bytes and at least one more than it has.
func (w *window) makeRoom(n int) {
	switch {
	case n > len(w.buf) || w.start == 0 && w.end == len(w.buf):
		grown := make([]byte, max(n, 2*len(w.buf), 4<<10))
		w.end = copy(grown, w.bytes())
		w.buf, w.start = grown, 0
	case w.start == w.end:
		w.start, w.end = 0, 0
	case w.start+n > len(w.buf) || w.end == len(w.buf):
		w.end = copy(w.buf, w.bytes())
		w.start = 0
	}
}

func (w *window) fill() {
	for range maxIdleReads {
		n, err := w.r.Read(w.buf[w.end:])
		w.end += n
		w.read += int64(n)
		if err != nil {
			w.err, w.eof = err, err == io.EOF
		}
		if w.read > w.max {
			w.eof = false
			w.err = fmt.Errorf("%w: more than %d bytes (max_body)", ErrTooLarge, w.max)
		}
		if n > 0 || w.err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// peek skips white space and returns the next byte without consuming it.
func (w *window) peek() (byte, bool) {
	for {
		for w.start < w.end {
			b := w.buf[w.start]
			if !isSpace(b) {
				return b, true
			}
			w.start++
		}
		if !w.ensure(1) {
			return 0, false
		}
	}
}

// ended returns the error of a body that stopped in the middle of something.
func (w *window) ended(what string) error {
	if !w.eof {
		return w.err
	}
	if w.read == 0 {
		return &contentError{what: "the body is empty"}
	}
	return fmt.Errorf("%w: %s after %d bytes", ErrTruncated, what, w.read)
}

// foreign returns the error of bytes that do not belong there.
func (w *window) foreign(what string) error {
	const enough = 4 << 10 // more than is shown, so that credentials in it are whole
	found := w.bytes()
	return &contentError{what: what, found: bytes.Clone(found[:min(len(found), enough)])}
}

// trailer checks that only white space follows.
func (w *window) trailer() error {
	if _, more := w.peek(); more {
		return w.foreign("bytes follow after the end of the JSON")
	}
	if !w.eof {
		return w.err
	}
	return nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// contentError is a body that is not what RAPI sends.
type contentError struct {
	what  string
	found []byte // the bytes at that place
}

// Error quotes the first of the bytes that were found.
func (e *contentError) Error() string {
	const limit = 60
	text := ErrNotJSON.Error() + ": " + e.what
	switch {
	case len(e.found) > limit:
		text += fmt.Sprintf(" (%q...)", e.found[:limit])
	case len(e.found) > 0:
		text += fmt.Sprintf(" (%q)", e.found)
	}
	return text + "; check that the address is RAPI itself and not a proxy or a web page"
}

// Unwrap makes it an ErrNotJSON.
func (e *contentError) Unwrap() error { return ErrNotJSON }
