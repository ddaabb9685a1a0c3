package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Values of RAPI, of the two databases and of the log of changes are brought into one form, in which == compares them:
// nil, string, bool, int64; lists as JSON text, moments as RFC 3339 in UTC to the microsecond.

// sort is the sort of a column's values.
type sort int

const (
	sortText sort = iota
	sortNumber
	sortTruth
	sortList
	sortMoment
)

// textOf returns a scalar as text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}

// textValue of what is null or absent is "".
func textValue(v any) any {
	s, _ := textOf(v)
	return s
}

func numberValue(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return nil
	}
	i, err := n.Int64()
	if err != nil {
		return fmt.Sprintf("no whole number: %s", n)
	}
	return i
}

// total is the sum of a list of numbers.
func total(v any) any {
	var sum int64
	elements, _ := v.([]any)
	for _, e := range elements {
		n, _ := numberValue(e).(int64)
		sum += n
	}
	return sum
}

// listValue is a list as JSON text; elements that are null or empty texts are both null.
func listValue(v any, sort bool) any {
	elements, _ := v.([]any)
	plain := make([]any, len(elements))
	for i, e := range elements {
		if s, ok := textOf(e); ok && s != "" {
			plain[i] = s
		}
	}
	if sort {
		slices.SortFunc(plain, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return canonical(plain)
}

// momentValue reads seconds since 1970, or a job's pair of seconds and microseconds, exactly: to the nearest microsecond.
// Ganeti's 0 means that it does not know, as for the group that a new cluster begins with.
func momentValue(v any) any {
	micros := new(big.Rat)
	switch v := v.(type) {
	case json.Number:
		if _, ok := micros.SetString(v.String()); !ok {
			return fmt.Sprintf("no number: %s", v)
		}
		micros.Mul(micros, big.NewRat(1_000_000, 1))
	case []any:
		if len(v) != 2 {
			return nil
		}
		seconds, _ := numberValue(v[0]).(int64)
		rest, _ := numberValue(v[1]).(int64)
		micros.SetInt64(seconds*1_000_000 + rest)
	default:
		return nil
	}
	if micros.Sign() == 0 {
		return nil
	}
	micros.Add(micros, big.NewRat(1, 2))
	whole := new(big.Int).Div(micros.Num(), micros.Denom()) // rounds down, as Euclid does for positive divisors
	return momentText(time.UnixMicro(whole.Int64()))
}

func momentText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// canonical is JSON text in which equal meaning is equal text: keys in order, numbers as fractions.
func canonical(v any) string {
	text, err := json.Marshal(exact(v))
	if err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	return string(text)
}

// exact replaces numbers by their exact value, whatever their spelling.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok {
			return object{"number": r.String()}
		}
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = exact(e)
		}
		return out
	case object:
		out := make(object, len(v))
		for key, e := range v {
			out[key] = exact(e)
		}
		return out
	default:
		return v
	}
}

// stored is a value as a driver returns it, in the common form.
func (s sort) stored(v any) any {
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	if v == nil {
		return nil
	}
	switch s {
	case sortTruth:
		if n, ok := v.(int64); ok { // SQLite
			return n != 0
		}
	case sortList:
		elements, err := decode(fmt.Sprint(v))
		if err != nil {
			return err.Error()
		}
		return listValue(elements, false)
	case sortMoment:
		if t, ok := v.(time.Time); ok {
			return momentText(t)
		}
	case sortText, sortNumber:
	}
	return v
}

// logged is a value as an entry in changes shows it, in the common form.
func (s sort) logged(v any) any {
	switch s {
	case sortNumber:
		return numberValue(v)
	case sortList:
		return listValue(v, false)
	case sortMoment:
		text, ok := v.(string)
		if !ok {
			return nil
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return err.Error()
		}
		return momentText(t)
	case sortText, sortTruth:
	}
	return v
}

// decode reads JSON and keeps numbers as they are spelled.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("decoding %.60q: %w", text, err)
	}
	return v, nil
}
