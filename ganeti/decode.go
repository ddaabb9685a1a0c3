package ganeti

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxDepth bounds the nesting of an item; Ganeti's own reach about 8.
	maxDepth = 100
	// maxText bounds a typed text, in bytes: PostgreSQL refuses index rows of
	// more than about 2,700 bytes.
	maxText = 1024
	// maxTexts bounds a list of texts; Ganeti itself allows 4,096 tags.
	maxTexts = 10_000
	maxUUID  = 64
	maxName  = 255
)

var (
	errTooLong = fmt.Errorf("a text of more than %d bytes", maxText)
	errLarge   = fmt.Errorf("an object of more than %d MiB, the beginning of which is kept", maxItem>>20)
	errTooMany = fmt.Errorf("a list of more than %d texts", maxTexts)
)

// lenient accepts what Python's json module sends and what it accepts: names
// twice (the last one counts) and text that is not UTF-8.
func lenient() json.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// decode reads an item into a wire type. Python's NaN and Infinity are not
// JSON, so that only an item the decoder refuses is repaired first.
func decode[T any](raw []byte) (T, error) {
	wire, err := unmarshal[T](raw)
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) || mayBeDeep(raw) {
		var repaired []byte
		if repaired, err = repair(raw); err == nil {
			wire, err = unmarshal[T](repaired)
		}
	}
	if err != nil && isBeginning(raw) {
		err = errLarge
	}
	return wire, fieldError(err)
}

// isBeginning says whether an item is what was kept of one that is too large.
func isBeginning(raw []byte) bool {
	var c cutter
	_, closed := c.scan(raw)
	return !closed && len(raw) == keptOfLarge
}

func unmarshal[T any](raw []byte) (T, error) {
	var wire T
	err := json.Unmarshal(raw, &wire, lenient())
	return wire, err
}

// mayBeDeep reports whether the item has enough brackets to nest too deeply.
func mayBeDeep(raw []byte) bool {
	return bytes.Count(raw, []byte{'{'})+bytes.Count(raw, []byte{'['}) > maxDepth
}

// fieldError says which field could not be read, in the words of the item
// rather than of the decoder.
func fieldError(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return err
	}
	reason := semantic.Err
	if reason == nil {
		reason = fmt.Errorf("a JSON %s where an object belongs", kindName(semantic.JSONKind))
	}
	if field := strings.TrimPrefix(string(semantic.JSONPointer), "/"); field != "" {
		return fmt.Errorf("%s: %w", plain(field, 80), reason)
	}
	return reason
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	default:
		return "value"
	}
}

// identity is a field that says which object the item is. It must be a proper
// string; anything else would tie the item to the wrong row. Given twice with
// different texts it is none: the item is two that have run into each other, and
// taking it for one of them would make the other one seem to be gone.
type identity struct {
	text  string
	found string // what came instead of a string; "" if nothing or a string came
	first string // the first text that came
	twice bool   // and another one came after it
}

// UnmarshalJSONFrom takes whatever comes; check judges it.
func (id *identity) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*id = identity{first: id.first, twice: id.twice}
	kind := dec.PeekKind()
	if kind == '{' || kind == '[' {
		id.found = kindName(kind)
		return dec.SkipValue()
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if kind == '"' {
		id.text = tok.String()
		id.first = cmp.Or(id.first, id.text)
		id.twice = id.twice || id.text != id.first
		return nil
	}
	id.found = kindName(kind)
	if kind == '0' {
		id.found += " " + plain(tok.String(), 40)
	}
	return nil
}

// none says that nothing came, or null.
func (id *identity) none() bool { return id.text == "" && (id.found == "" || id.found == "null") }

func (id *identity) check(field string, limit int) error {
	switch {
	case id.found != "":
		return fmt.Errorf("%s: a JSON string is needed, found %s", field, id.found)
	case id.text == "":
		return fmt.Errorf("%s: is missing or empty", field)
	case id.twice:
		return fmt.Errorf("%s: is given twice, with different texts", field)
	case len(id.text) > limit:
		return fmt.Errorf("%s: %d bytes, at most %d are possible", field, len(id.text), limit)
	case strings.ContainsFunc(id.text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }):
		return fmt.Errorf("%s: %s holds a control character or is not UTF-8", field, strconv.QuoteToASCII(id.text))
	}
	return nil
}

// checkIdentity checks the two fields every object but a job has.
func checkIdentity(uuid, name *identity) error {
	if err := uuid.check("uuid", maxUUID); err != nil {
		return err
	}
	return name.check("name", maxName)
}
