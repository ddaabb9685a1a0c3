package db

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Fields are handled through pointers, as reflection hands them out without allocating. These functions know every
// field type a row may have; a new type is added to each of them.

// cleanField makes a field storable in both databases and equal to what reading it back gives.
func cleanField(ptr any) {
	switch p := ptr.(type) {
	case *string:
		*p = cleanText(*p)
	case *List:
		for i, e := range *p {
			(*p)[i] = cleanText(e)
		}
	case *time.Time:
		*p = cleanTime(*p)
	case **time.Time:
		if *p != nil {
			t := cleanTime(**p)
			*p = &t
		}
	}
}

// cleanText replaces what PostgreSQL refuses in text: NUL and bytes that are not UTF-8.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// cleanTime cuts to microseconds, PostgreSQL's resolution.
func cleanTime(t time.Time) time.Time {
	return t.UTC().Truncate(time.Microsecond)
}

// sameSet compares two lists whose order means nothing.
func sameSet(a, b List) bool {
	return len(a) == len(b) && (slices.Equal(a, b) || slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))))
}

// sameField compares two clean fields of the same type.
func sameField(a, b any) bool {
	switch x := a.(type) {
	case *string:
		return *x == *b.(*string)
	case *bool:
		return *x == *b.(*bool)
	case *int64:
		return *x == *b.(*int64)
	case **bool:
		return samePointer(*x, *b.(**bool))
	case **int64:
		return samePointer(*x, *b.(**int64))
	case **time.Time:
		y := *b.(**time.Time)
		return (*x == nil) == (y == nil) && (y == nil || (*x).Equal(*y))
	case *List:
		return slices.Equal(*x, *b.(*List))
	}
	panic(fmt.Sprintf("comparing a column of type %T", a))
}

func samePointer[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// shownField is a field's value as an entry in changes shows it: plain JSON, times as RFC 3339.
func shownField(ptr any) any {
	switch p := ptr.(type) {
	case *string:
		return *p
	case *bool:
		return *p
	case *int64:
		return *p
	case **bool:
		return deref(*p)
	case **int64:
		return deref(*p)
	case **time.Time:
		if *p == nil {
			return nil
		}
		return (*p).Format(time.RFC3339Nano)
	case *List:
		return p.nullable()
	}
	panic(fmt.Sprintf("showing a column of type %T", ptr))
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
