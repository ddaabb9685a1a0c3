package db

import (
	"math"
	"strconv"
	"strings"
)

// Range is a number's least and greatest value, both included; nil is no bound.
type Range struct {
	Min, Max *int64
}

// IsZero reports whether there is no bound at all.
func (r Range) IsZero() bool { return r.Min == nil && r.Max == nil }

// String gives the form that ParseRange reads, in the unit of the numbers.
func (r Range) String() string {
	text := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	if r.Min != nil && r.Max != nil && *r.Min == *r.Max {
		return text(r.Min)
	}
	return text(r.Min) + ".." + text(r.Max)
}

// Unit is what the numbers of a Range count.
type Unit int64

// The units of ranges: pieces, which take no suffix, and MiB, which take K, M, G and T (binary; M without one).
const (
	Pieces Unit = 0
	MiB    Unit = 1 << 20
)

// ParseRange reads N, N.., ..N or N..M. A bound between two whole units is rounded inwards.
func ParseRange(text string, unit Unit) (Range, error) {
	low, high, isRange := strings.Cut(strings.TrimSpace(text), "..")
	if !isRange {
		high = low
	}
	var r Range
	var err error
	if r.Min, err = parseBound(low, unit, math.Ceil); err != nil {
		return Range{}, err
	}
	if r.Max, err = parseBound(high, unit, math.Floor); err != nil {
		return Range{}, err
	}
	switch {
	case r.IsZero():
		return Range{}, badFilter("range", "%q has no number; write N, N.., ..N or N..M", shorten(text))
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		return Range{}, badFilter("range", "%q is empty", shorten(text))
	}
	return r, nil
}

// maxBound keeps the numbers exact in float64 and far from overflow.
const maxBound = 1 << 52

func parseBound(text string, unit Unit, round func(float64) float64) (*int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil //nolint:nilnil // no bound
	}
	number, factor := text, 1.0
	if unit != Pieces {
		number, factor = cutSuffix(text)
		factor /= float64(unit)
	}
	f, err := strconv.ParseFloat(number, 64)
	n := round(f * factor)
	if err != nil || strings.ContainsAny(number, "eExXpPiInN_+-") || n > maxBound {
		hint := "a whole number"
		if unit != Pieces {
			hint = "a number with K, M, G or T"
		}
		return nil, badFilter("range", "%q is not %s", shorten(text), hint)
	}
	if unit == Pieces && f != math.Trunc(f) {
		return nil, badFilter("range", "%q is not a whole number", shorten(text))
	}
	bound := int64(n)
	return &bound, nil
}

// cutSuffix takes a unit off a number: 4G, 4GB, 4GiB are the same, and a number alone counts MiB.
func cutSuffix(text string) (number string, bytes float64) {
	upper := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(text), "B"), "I")
	for i, suffix := range []string{"K", "M", "G", "T"} {
		if number, ok := strings.CutSuffix(upper, suffix); ok {
			return strings.TrimSpace(number), math.Pow(1024, float64(i+1))
		}
	}
	return text, float64(MiB)
}

// shorten keeps what somebody sent from filling a message.
func shorten(s string) string {
	const most = 64
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
