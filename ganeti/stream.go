package ganeti

import "fmt"

// readArray reads a body that is one JSON array, to its end, and compares the
// items with the known ones. Nothing but a complete array gives a Delta.
func readArray(w *window, known *Index) (*Delta, error) {
	first, ok := w.peek()
	if !ok {
		return nil, w.ended("no JSON")
	}
	if first != '[' {
		return nil, w.foreign("not a JSON array")
	}
	w.start++
	m := newMatcher(known)
	defer m.spool.end() // of an answer that is given up, too
	if err := readItems(w, m); err != nil {
		return nil, err
	}
	if err := w.trailer(); err != nil {
		return nil, err
	}
	return m.finish(), nil
}

// readItems reads from behind the opening bracket to behind the closing one.
func readItems(w *window, m *matcher) error {
	next, ok := w.peek()
	if ok && next == ']' {
		w.start++
		return nil
	}
	for {
		if !ok {
			return w.ended("the array is not closed")
		}
		if int64(m.items) >= w.maxItems() {
			return fmt.Errorf("%w: a list of more than %d items (max_body allows so many of %d bytes)", ErrTooLarge, m.items, minItem)
		}
		if err := readItem(w, m); err != nil {
			return err
		}
		next, ok = w.peek()
		switch {
		case !ok:
			return w.ended("the array is not closed")
		case next == ']':
			w.start++
			return nil
		case next != ',':
			return w.foreign("no comma between two items")
		}
		w.start++
		_, ok = w.peek()
	}
}

// readItem consumes one item. If the bytes at hand are those of the predicted
// entry they are that same complete item, and nothing in them is looked at.
func readItem(w *window, m *matcher) error {
	if e, ok := m.predicted(); ok && e.length > 0 && e.length <= maxItem && w.ensure(int(e.length)+1) {
		b := w.bytes()
		if endsItem(b[e.length]) && m.known.hasher.mark(b[:e.length]) == e {
			m.hit()
			w.start += int(e.length)
			return nil
		}
	}
	item, n, err := cut(w)
	if err != nil {
		return err
	}
	m.offer(item)
	w.start += n
	return nil
}

// endsItem reports whether a byte can follow an item. A number might otherwise
// match the beginning of a longer one.
func endsItem(b byte) bool { return b == ',' || b == ']' || isSpace(b) }
