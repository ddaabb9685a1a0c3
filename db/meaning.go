package db

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// infoDifferences compares two JSON objects by meaning: the order of keys, white space and the spelling of numbers do not
// count. It returns the top-level keys that differ; values that are not objects differ as a whole, under the key "info".
func infoDifferences(old, now JSON) (map[string]FieldChange, error) {
	before, err := decodeJSON(old)
	if err != nil {
		return nil, fmt.Errorf("decoding the object on record: %w", err)
	}
	after, err := decodeJSON(now)
	if err != nil {
		return nil, fmt.Errorf("decoding the object: %w", err)
	}
	was, ok1 := before.(map[string]any)
	is, ok2 := after.(map[string]any)
	if !ok1 || !ok2 {
		if sameMeaning(before, after) {
			return nil, nil
		}
		return map[string]FieldChange{"info": {Old: before, New: after}}, nil
	}
	fields := make(map[string]FieldChange)
	for key, value := range was {
		if other, ok := is[key]; !ok || !sameMeaning(value, other) {
			fields[key] = FieldChange{Old: value, New: other}
		}
	}
	for key, value := range is {
		if _, ok := was[key]; !ok {
			fields[key] = FieldChange{New: value}
		}
	}
	return fields, nil
}

// decodeJSON keeps numbers as they are spelled.
func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the value")
	}
	return v, nil
}

func sameMeaning(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for key, value := range x {
			if other, ok := y[key]; !ok || !sameMeaning(value, other) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameMeaning(x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		return ok && sameNumber(x.String(), y.String())
	}
	return a == b // string, bool, nil
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
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var fields map[string]FieldChange
	err := d.Decode(&fields)
	return fields, err
}
