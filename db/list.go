package db

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lib/pq"
)

// List is a list of texts: text[] in PostgreSQL, JSON text in SQLite. An empty element is stored as NULL.
type List []string

// Scan reads either form, so that rows scan alike from both databases.
func (l *List) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case nil:
		*l = nil
		return nil
	case []byte:
		text = v
	case string:
		text = []byte(v)
	default:
		return fmt.Errorf("scanning a list from %T", src)
	}
	if bytes.HasPrefix(text, []byte("[")) {
		return l.scanJSON(text)
	}
	var elements []sql.NullString
	if err := pq.Array(&elements).Scan(text); err != nil {
		return fmt.Errorf("scanning a list: %w", err)
	}
	*l = make(List, len(elements))
	for i, e := range elements {
		(*l)[i] = e.String
	}
	return nil
}

func (l *List) scanJSON(text []byte) error {
	var elements []*string
	if err := json.Unmarshal(text, &elements); err != nil {
		return fmt.Errorf("scanning a list: %w", err)
	}
	*l = make(List, len(elements))
	for i, e := range elements {
		if e != nil {
			(*l)[i] = *e
		}
	}
	return nil
}

// MarshalJSON gives a list, also where there is none, with "" where an element is missing.
func (l List) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(l))
}

// nullable returns the elements as they are stored and shown: nil for "".
func (l List) nullable() []any {
	elements := make([]any, len(l))
	for i, e := range l {
		if e != "" {
			elements[i] = e
		}
	}
	return elements
}

// jsonText returns the list in SQLite's form.
func (l List) jsonText() string {
	if len(l) == 0 {
		return "[]"
	}
	text, err := json.Marshal(l.nullable())
	if err != nil { // strings and nils always marshal
		panic(err)
	}
	return string(text)
}

// array gives the list as a PostgreSQL array literal.
func (l List) array() []byte { return l.appendArray(nil) }

func (l List) appendArray(b []byte) []byte {
	b = append(b, '{')
	for i, e := range l {
		if i > 0 {
			b = append(b, ',')
		}
		if e == "" {
			b = append(b, "NULL"...)
			continue
		}
		b = appendQuoted(b, e)
	}
	return append(b, '}')
}

// appendQuoted appends a text as an element of an array literal. Stretches without a quote or a backslash are copied
// whole.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(append(b, s[start:i]...), '\\', s[i])
			start = i + 1
		}
	}
	return append(append(b, s[start:]...), '"')
}

// JSON is one JSON value: jsonb in PostgreSQL, text in SQLite. Nil is NULL.
type JSON []byte

// Scan copies the value.
func (j *JSON) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*j = nil
	case []byte:
		*j = slices.Clone(v)
	case string:
		*j = JSON(v)
	default:
		return fmt.Errorf("scanning JSON from %T", src)
	}
	return nil
}

// MarshalJSON returns the value itself.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == nil {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON keeps a copy of the value.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = slices.Clone(b)
	return nil
}
