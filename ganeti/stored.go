package ganeti

import "bytes"

// This file makes safe what an earlier version has stored: cut items, and the
// fields of entries of changes.

// StorableStart is Storable for JSON that may be cut or broken: what comes
// before that place, without a value there that would have been hidden.
func (r *Redactor) StorableStart(raw string) string {
	w := rewriter{in: []byte(raw), redact: true, list: r}
	w.space()
	err := w.value(1)
	if w.space(); err == nil && w.pos == len(raw) && w.edits == 0 {
		return raw
	}
	end := w.pos
	if err != nil && w.cut > 0 {
		end = w.cut
	}
	return string(append(w.out, raw[min(w.copied, end):end]...))
}

// StorableFields makes the fields of an entry of changes safe: an object with a
// column's name or a JSON Pointer into an object, and for each its old and its
// new value. An entry keeps its shape; what is hidden are the values.
func (r *Redactor) StorableFields(raw []byte) ([]byte, error) {
	w := rewriter{in: raw, redact: true, list: r, field: new(field)}
	return w.all()
}

// field is what the names on the way to a value in changes say of it.
type field struct{ hide, params bool }

// fieldMember walks over a member of an entry's fields: a field (depth 1), or
// its old or new value (depth 2).
func (w *rewriter) fieldMember(name []byte, depth int) error {
	if depth == 1 {
		*w.field = w.fieldNamed(name)
		if w.peek() == '{' {
			return w.value(depth + 1)
		}
	}
	if w.field.hide {
		return w.hidden(depth)
	}
	w.params = w.field.params
	err := w.value(depth + 1)
	w.params = false
	return err
}

// fieldNamed judges a column's name or a JSON Pointer.
func (w *rewriter) fieldNamed(name []byte) field {
	var f field
	within := false
	for segment := range bytes.SplitSeq(name, []byte("/")) {
		hide, params := w.list.isSecret(segment)
		f.hide = f.hide || hide || within && isSecretParam(segment)
		within = within || params
	}
	f.params = within
	return f
}
