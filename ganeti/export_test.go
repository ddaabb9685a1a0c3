package ganeti

import (
	"bytes"
	"io"
)

// ReadArray compares one body with an index, without a connection.
func ReadArray(r io.Reader, buffer []byte, limit int64, known *Index) (*Delta, error) {
	return readArray(newWindow(r, buffer, limit), known)
}

// CutObject reads one body that has to be a JSON object, without a connection.
func CutObject(r io.Reader, buffer []byte, limit int64) ([]byte, error) {
	return cutObject(newWindow(r, buffer, limit))
}

// SpoolSize returns the bytes a delta's spool holds.
func SpoolSize(d *Delta) int {
	n := cap(d.spool.open) + 4*cap(d.spool.lengths)
	for _, b := range d.spool.blocks {
		n += cap(b.data)
	}
	return n
}

// CutAll cuts b into items and counts them.
func CutAll(b []byte) int {
	w := newWindow(bytes.NewReader(nil), b, 1<<40)
	w.end = len(b)
	w.start = 1
	n := 0
	for {
		_, length, err := cut(w)
		if err != nil {
			return n
		}
		n++
		w.start += length
		if next, ok := w.peek(); !ok || next == ']' {
			return n
		}
		w.start++
		w.peek()
	}
}

// Spool keeps the items and gives them back once.
func Spool(items [][]byte) (n int) {
	var s spooler
	for _, item := range items {
		s.add(item)
	}
	filled := s.end()
	for range filled.each {
		n++
	}
	return n
}

// WithGhosts returns the index with keys that are on record beside its items.
func (x *Index) WithGhosts(keys ...string) *Index {
	y := *x
	y.ghosts = keys
	return &y
}
