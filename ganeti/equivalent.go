package ganeti

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Equivalent reports whether two texts are JSON with the same meaning: white
// space, the order of an object's members, the spelling of strings and of
// numbers (1, 1.0, 1e0) aside. Numbers are compared exactly, not as floats. Of
// a name given twice the last value counts. Texts that are not JSON are
// equivalent only to themselves.
func Equivalent(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := parseTree(a)
	if err != nil {
		return false
	}
	y, err := parseTree(b)
	return err == nil && sameTree(x, y)
}

// number is a number in its normal form, different from any string.
type number string

// parseTree reads a text into nil, bool, number, string, []any and
// map[string]any.
func parseTree(raw []byte) (any, error) {
	raw, err := repair(raw) // checks the grammar and bounds the recursion
	if err != nil {
		return nil, err
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw), lenient())
	return readTree(dec)
}

func readTree(dec *jsontext.Decoder) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		return tok.String(), nil
	case '0':
		return number(normalNumber(tok.String())), nil
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := readTree(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	case '{':
		object := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // the token is void after the next read
			if object[key], err = readTree(dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return object, err
	default:
		return nil, nil //nolint:nilnil // JSON's null is Go's nil here
	}
}

func sameTree(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameTree)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameTree)
	default:
		switch b.(type) {
		case []any, map[string]any:
			return false // comparing these with == would panic
		}
		return a == b
	}
}

// normalNumber writes a JSON number as sign, digits without zeros at either
// end, and exponent.
func normalNumber(s string) string {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		n, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return s // beyond what repair lets through
		}
		exponent = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return "0"
	}
	exponent += len(digits) - len(trimmed) - len(fraction)
	out := trimmed + "e" + strconv.Itoa(exponent)
	if negative {
		out = "-" + out
	}
	return out
}
