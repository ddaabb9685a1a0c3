package db

import (
	"bytes"
	"encoding/json"
	"errors"
	"hash/maphash"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// maxNesting is how deep values are looked into; below, the spelling decides. No answer nests so deep.
const maxNesting = 200

// wholeInfo is the key of a change of info that is not one of an object's parts.
const wholeInfo = "info"

// infoDifference is that of two JSON texts by meaning: the order of keys, white space and the spelling of numbers and strings do not
// count.
type infoDifference struct {
	// fields are what differs, by JSON Pointer (RFC 6901), but for what is left out; nil when nothing does.
	fields map[string]FieldChange
	// any says that something differs, left out or not.
	any bool

	leftOut map[string]bool
	path    []byte
	members []member
	sieve   sieve
	// mute is above 0 within what is left out; depth is how deep the walk is.
	mute, depth int
}

// infoDifferences compares two JSON texts. Keys at the top that are left out count for any, and are not among the fields.
//
// An object is told by its members, a list of plain values as a whole, and any other list by element: what it has at its
// end beyond the other's length is there or Absent.
func infoDifferences(old, now JSON, leftOut map[string]bool) (*infoDifference, error) {
	d := &infoDifference{leftOut: leftOut, sieve: sieve{seed: maphash.MakeSeed()}}
	if err := d.value(trim(old), trim(now)); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *infoDifference) value(old, now []byte) error {
	if len(old) == 0 || len(now) == 0 {
		return errSpan
	}
	if bytes.Equal(old, now) {
		return nil
	}
	d.depth++
	defer func() { d.depth-- }()
	switch {
	case d.depth > maxNesting:
		return d.differ(old, now)
	case old[0] == '{' && now[0] == '{':
		return d.object(old, now)
	case old[0] == '[' && now[0] == '[':
		return d.list(old, now)
	case sameScalar(old, now):
		return nil
	}
	return d.differ(old, now)
}

// object compares the members of two objects, which are sorted.
func (d *infoDifference) object(old, now []byte) (err error) {
	// Both are on one stack; what is deeper comes behind them, and may move it.
	start := len(d.members)
	defer func() { d.members = d.members[:start] }()
	var middle int
	var ok bool
	if d.members, middle, ok = d.sieve.apart(d.members, old, now); !ok {
		if d.members, err = membersOf(d.members, old); err != nil {
			return d.whole(err, old, now)
		}
		middle = len(d.members)
		if d.members, err = membersOf(d.members, now); err != nil {
			return d.whole(err, old, now)
		}
	}
	end := len(d.members)
	for i, j := start, middle; i < middle || j < end; {
		order := -1
		switch {
		case i == middle:
			order = 1
		case j < end:
			order = bytes.Compare(d.members[i].key, d.members[j].key)
		}
		var one member
		var was, is []byte
		if order <= 0 {
			one, was = d.members[i], d.members[i].value
			i++
		}
		if order >= 0 {
			one, is = d.members[j], d.members[j].value
			j++
		}
		if err := d.below(one.key, was, is); err != nil {
			return err
		}
	}
	return nil
}

// whole notes two values as a whole where one has too many parts; any other error stays.
func (d *infoDifference) whole(err error, old, now []byte) error {
	if errors.Is(err, errManySpans) {
		return d.differ(old, now)
	}
	return err
}

// below compares what is under a key; nil is absent.
func (d *infoDifference) below(key, was, is []byte) error {
	if bytes.Equal(was, is) && was != nil && is != nil {
		return nil
	}
	if d.depth == 1 && d.leftOut[string(key)] {
		d.mute++
		defer func() { d.mute-- }()
	}
	length := len(d.path)
	d.path = appendToken(d.path, key)
	defer func() { d.path = d.path[:length] }()
	if was == nil || is == nil {
		return d.differ(was, is)
	}
	return d.value(was, is)
}

func (d *infoDifference) list(old, now []byte) error {
	was, err := elementsOf(old)
	if err != nil {
		return d.whole(err, old, now)
	}
	is, err := elementsOf(now)
	if err != nil {
		return d.whole(err, old, now)
	}
	if plain(was) && plain(is) {
		if d.depth == 2 && string(d.path) == "/tags" {
			// A set, which Ganeti sends in any order.
			slices.SortFunc(was, bytes.Compare)
			slices.SortFunc(is, bytes.Compare)
		}
		same := len(was) == len(is)
		for i := 0; same && i < len(was); i++ {
			same = bytes.Equal(was[i], is[i]) || sameScalar(was[i], is[i])
		}
		if same {
			return nil
		}
		return d.differ(old, now)
	}
	at := func(list [][]byte, i int) []byte {
		if i < len(list) {
			return list[i]
		}
		return nil
	}
	for i := range max(len(was), len(is)) {
		if err := d.below(strconv.AppendInt(nil, int64(i), 10), at(was, i), at(is, i)); err != nil {
			return err
		}
	}
	return nil
}

// plain says that a list has neither objects nor lists.
func plain(elements [][]byte) bool {
	for _, e := range elements {
		if e[0] == '{' || e[0] == '[' {
			return false
		}
	}
	return true
}

// differ notes a difference at the path; nil is absent.
func (d *infoDifference) differ(was, is []byte) error {
	d.any = true
	if d.mute > 0 {
		return nil
	}
	if was != nil && !json.Valid(was) || is != nil && !json.Valid(is) {
		return errSpan
	}
	key := string(d.path)
	if key == "" {
		key = wholeInfo
	}
	if d.fields == nil {
		d.fields = make(map[string]FieldChange)
	}
	d.fields[key] = FieldChange{Old: rawOrAbsent(was), New: rawOrAbsent(is)}
	if len(is) > maxNew {
		d.fields[key] = FieldChange{Old: rawOrAbsent(was), New: Omitted{Bytes: len(is)}}
	}
	return nil
}

// maxNew is how long a new value within info is told. No Ganeti sends longer ones, and what is repeated in the log for each
// change of one would fill the memory and the database.
const maxNew = 1 << 20

func rawOrAbsent(text []byte) any {
	if text == nil {
		return Absent
	}
	return json.RawMessage(text)
}

// appendToken appends a reference token to a JSON Pointer.
func appendToken(path, token []byte) []byte {
	path = append(path, '/')
	for _, c := range token {
		switch c {
		case '~':
			path = append(path, "~0"...)
		case '/':
			path = append(path, "~1"...)
		default:
			path = append(path, c)
		}
	}
	return path
}

// sameScalar compares texts that differ, of anything but two objects or two lists.
func sameScalar(a, b []byte) bool {
	if a[0] == '"' || b[0] == '"' {
		// Of long ones the spelling decides.
		if a[0] != b[0] || bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 || max(len(a), len(b)) > maxNew {
			return false
		}
		var x, y string
		return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
	}
	return isNumber(a[0]) && isNumber(b[0]) && sameNumber(string(a), string(b))
}

func isNumber(first byte) bool { return first == '-' || first >= '0' && first <= '9' }

// sameJSON compares two valid texts by meaning.
func sameJSON(a, b []byte) bool {
	d, err := infoDifferences(a, b, nil)
	return err == nil && !d.any
}

// sameNumber compares exactly, unless a number is so long that it would be a burden; then the spelling decides.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, ok1 := shortNumber(a)
	y, ok2 := shortNumber(b)
	return ok1 && ok2 && x.Cmp(y) == 0
}

// shortNumber refuses exponents that would expand to more than a few hundred digits.
func shortNumber(s string) (*big.Rat, bool) {
	const maxLength, maxExponent = 400, 400
	f, _, err := big.ParseFloat(s, 10, 64, big.ToNearestEven)
	if err != nil || len(s) > maxLength {
		return nil, false
	}
	if exponent := f.MantExp(nil); exponent > 4*maxExponent || exponent < -4*maxExponent {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func decodeFields(text JSON) (map[string]FieldChange, error) {
	var fields map[string]FieldChange
	err := json.Unmarshal(text, &fields)
	return fields, err
}

// isPointer tells a path within info from the name of a column.
func isPointer(field string) bool { return strings.HasPrefix(field, "/") }
