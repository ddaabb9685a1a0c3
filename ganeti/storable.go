package ganeti

import "fmt"

// Storable makes an item's JSON safe to store and to show. What PostgreSQL's
// jsonb or strict JSON refuses is replaced: NaN, Infinity and numbers with an
// exponent beyond ±300 by null; \u0000, lone surrogates and bytes that are not
// UTF-8 by U+FFFD. The values of secret keys become "[redacted]" at any depth.
//
// The result is always valid JSON; it is raw itself, without any allocation,
// when nothing had to be replaced. The error says at which byte the item stops
// being JSON, or that it nests more than 100 deep.
//
// The secret keys are those of the built-in list, and the names of r beside it.
func (r *Redactor) Storable(raw []byte) ([]byte, error) { return rewrite(raw, true, r) }

// repair is Storable without the redaction.
func repair(raw []byte) ([]byte, error) { return rewrite(raw, false, nil) }

// flatten replaces by null what nests too deep, in an object without which
// nothing else can be read. It is raw itself when there is nothing, or no JSON.
func flatten(raw []byte) []byte {
	if !mayBeDeep(raw) {
		return raw
	}
	w := rewriter{in: raw, shallow: true}
	flat, err := w.all()
	if err != nil || w.edits == 0 {
		return raw
	}
	return flat
}

func rewrite(raw []byte, redact bool, list *Redactor) ([]byte, error) {
	w := rewriter{in: raw, redact: redact, list: list}
	return w.all()
}

// all walks over the whole input.
func (w *rewriter) all() ([]byte, error) {
	w.space()
	if err := w.value(1); err != nil {
		return nil, err
	}
	if w.space(); w.pos < len(w.in) {
		return nil, w.errorf("bytes follow after the end of the JSON")
	}
	if w.edits == 0 {
		return w.in, nil
	}
	return append(w.out, w.in[w.copied:]...), nil
}

// rewriter walks over one JSON value, checks its grammar and copies it to out
// from the first edit on.
type rewriter struct {
	in     []byte
	pos    int
	redact bool
	list   *Redactor

	// params is set within OS parameters, where names and values are judged more strictly.
	params bool
	// field is set for the fields of an entry of changes.
	field *field
	// shallow has what nests too deep replaced by null instead of being an error.
	shallow bool
	// cut is where the outermost hidden value begins whose end was not found; 0 if there is none.
	cut int

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
			return w.deep()
		}
		if b == '{' {
			return w.object(depth)
		}
		return w.array(depth)
	case '"':
		if w.params {
			return w.param()
		}
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

// deep is what becomes of a value that nests too deep.
func (w *rewriter) deep() error {
	if !w.shallow {
		return w.errorf("nested more than %d deep", maxDepth)
	}
	var c cutter
	n, ok := c.scan(w.in[w.pos:])
	if !ok || !c.closes(w.in[w.pos], w.in[w.pos+n-1]) {
		return w.errorf("brackets do not match")
	}
	w.edit(w.pos, w.pos+n, "null")
	w.pos += n
	return nil
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
	quoted := w.in[name : w.pos-1]
	if w.space(); w.peek() != ':' {
		return w.errorf("a colon is missing")
	}
	w.pos++
	w.space()
	if w.field != nil && depth <= 2 {
		return w.fieldMember(quoted, depth)
	}
	hide, params := w.judge(quoted)
	switch {
	case hide:
		return w.hidden(depth)
	case params && !w.params:
		w.params = true
		err := w.value(depth + 1)
		w.params = false
		return err
	default:
		return w.value(depth + 1)
	}
}

// param walks over a string within OS parameters.
func (w *rewriter) param() error {
	start, out, copied := w.pos, len(w.out), w.copied
	if err := w.text(); err != nil {
		w.cut = start
		return err
	}
	if secretValue(w.in[start:w.pos]) {
		w.out, w.copied = w.out[:out], copied
		w.edit(start, w.pos, `"`+redacted+`"`)
	}
	return nil
}

// judge says whether the value of a name is hidden, and whether the name is
// that of OS parameters.
func (w *rewriter) judge(name []byte) (hide, params bool) {
	if !w.redact {
		return false, false
	}
	hide, params = w.list.isSecret(name)
	return hide || w.params && isSecretParam(name), params
}

// hidden walks over a value that is replaced as a whole.
func (w *rewriter) hidden(depth int) error {
	start, out, copied := w.pos, len(w.out), w.copied
	if err := w.value(depth + 1); err != nil {
		w.cut = start
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
