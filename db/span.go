package db

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// Comparing two objects of some 3 KB whole, as maps of values, takes longer than everything else that is done for a changed
// row. So their texts are only cut into spans, of which those that differ in spelling are looked into.

// errSpan means that a text is no JSON.
var errSpan = errors.New("not JSON")

// member is a key of a JSON object, without its escapes, and the text of its value.
type member struct{ key, value []byte }

// trim cuts the white space around a value.
func trim(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// maxSpans is how many members or elements are looked into. More of them, which no Ganeti sends, are told as a whole: an
// entry of changes may not become larger than the two texts that it compares, nor the comparison much larger than they are.
const maxSpans = 1000

// errManySpans means that a text has more than maxSpans of them.
var errManySpans = errors.New("too many members or elements")

// membersOf appends an object's members, sorted by key. Of those with the same key the last one counts. errManySpans.
func membersOf(members []member, text []byte) ([]member, error) {
	from := len(members)
	sorted := true
	err := eachSpan(text, true, func(key, value []byte) {
		if len(members)-from > maxSpans {
			return
		}
		if n := len(members); n > from && bytes.Compare(members[n-1].key, key) >= 0 {
			sorted = false
		}
		members = append(members, member{key, value})
	})
	if err == nil && len(members)-from > maxSpans {
		err = errManySpans
	}
	if sorted || err != nil {
		return members, err
	}
	own := members[from:]
	slices.SortStableFunc(own, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	kept := own[:0]
	for i, m := range own {
		if i+1 == len(own) || !bytes.Equal(m.key, own[i+1].key) {
			kept = append(kept, m)
		}
	}
	return members[:from+len(kept)], nil
}

// elementsOf gives the texts of a list's elements. errManySpans.
func elementsOf(text []byte) (elements [][]byte, err error) {
	err = eachSpan(text, false, func(_, value []byte) {
		if len(elements) <= maxSpans {
			elements = append(elements, value)
		}
	})
	if err == nil && len(elements) > maxSpans {
		err = errManySpans
	}
	return elements, err
}

// eachSpan calls yield for each member or element of the object or list that the text is, and checks what is around them.
func eachSpan(text []byte, object bool, yield func(key, value []byte)) error {
	s := spans{text: text, at: 1} // behind the bracket that opens it
	if s.next() == text[0]+2 {    // "{}" and "[]" are two apart each
		s.at++
		return s.end()
	}
	for {
		var key []byte
		if object {
			var err error
			if key, err = s.key(); err != nil {
				return err
			}
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		yield(key, value)
		switch s.next() {
		case ',':
			s.at++
		case text[0] + 2:
			s.at++
			return s.end()
		default:
			return errSpan
		}
	}
}

// spans walks over a text.
type spans struct {
	text []byte
	at   int
}

// next skips white space and gives the byte behind it, 0 at the end.
func (s *spans) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (s *spans) end() error {
	if s.next() != 0 || s.at < len(s.text) {
		return errSpan
	}
	return nil
}

// key reads a key and the colon behind it.
func (s *spans) key() ([]byte, error) {
	if s.next() != '"' {
		return nil, errSpan
	}
	from := s.at
	s.string()
	quoted := s.text[from:s.at]
	if s.next() != ':' {
		return nil, errSpan
	}
	s.at++
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var key string
	if err := json.Unmarshal(quoted, &key); err != nil {
		return nil, errSpan
	}
	return []byte(key), nil
}

// value skips a value and gives its text.
func (s *spans) value() ([]byte, error) {
	first := s.next()
	from, depth := s.at, 0
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '"':
			s.string()
		case '{', '[':
			depth++
			s.at++
		case '}', ']', ',', ' ', '\t', '\r', '\n':
			if depth == 0 { // the end of a number or a word
				return s.cut(from)
			}
			s.at++
			if c == '}' || c == ']' {
				depth--
			}
		default:
			s.at++
			continue
		}
		if depth == 0 && (first == '"' || first == '{' || first == '[') {
			return s.cut(from)
		}
	}
	return s.cut(from)
}

func (s *spans) cut(from int) ([]byte, error) {
	if s.at == from {
		return nil, errSpan
	}
	return s.text[from:s.at], nil
}

// string skips a string.
func (s *spans) string() {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return
		}
	}
	s.at = len(s.text)
}
