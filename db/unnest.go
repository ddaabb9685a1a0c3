package db

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// postgresUpserts sends the rows as one array for each column: one short statement for many rows, where VALUES would name
// every single value, and no temporary table, whose making and unmaking costs more than a hundred rows do. All of them are
// in memory three times meanwhile: callers give a chunk at a time.
func postgresUpserts(t *table, rows []Row) []statement {
	fields := t.writePointers(t.zero())
	values, arrays := unnest(t.written, fields)
	return []statement{{
		query: "INSERT INTO " + t.name + " (" + strings.Join(t.written, ", ") + ") SELECT " + values + " FROM " + arrays + onConflict(t),
		args:  arraysOf(fields, len(rows), func(i int) []any { return t.writePointers(rows[i]) }),
	}}
}

// unnest names what a statement selects, and from what, to get the rows that arraysOf takes apart; u.place numbers them.
func unnest(columns []string, fields []any) (values, from string) {
	selected, arrays := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		selected[i] = "u." + c + castOf(fields[i])
		arrays[i] = "?::" + elementOf(fields[i]).name + "[]"
	}
	return strings.Join(selected, ", "),
		"unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS u (" + strings.Join(columns, ", ") + ", place)"
}

// arraysOf gives one array for each column, of rows that are given as pointers to their fields.
func arraysOf(fields []any, rows int, row func(i int) []any) []any {
	arrays := make([]*array, len(fields))
	for i, p := range fields {
		arrays[i] = newArray(elementOf(p), rows)
	}
	for r := range rows {
		for i, p := range row(r) {
			arrays[i].add(p)
		}
	}
	args := make([]any, len(arrays))
	for i, a := range arrays {
		args[i] = a.bytes()
	}
	return args
}

// element is the type of an array's elements: its name, and its oid in the catalog pg_type.
type element struct {
	name string
	oid  uint32
}

// castOf turns what travels as text into the column's type. A list does, because an array of arrays would be unnested
// whole, and JSON, because what the server needs to parse it is then freed after each row, where an array of jsonb is
// parsed whole first, in twice the time.
func castOf(ptr any) string {
	switch ptr.(type) {
	case *List:
		return "::text[]"
	case *JSON:
		return "::jsonb"
	}
	return ""
}

// elementOf gives the type in which a field travels.
func elementOf(ptr any) element {
	switch ptr.(type) {
	case *string, *List, *JSON:
		return element{"text", 25}
	case *[]byte:
		return element{"bytea", 17}
	case *int64, **int64:
		return element{"bigint", 20}
	case *bool, **bool:
		return element{"boolean", 16}
	case *time.Time, **time.Time:
		return element{"timestamptz", 1184}
	}
	panic(fmt.Sprintf("a column of type %T", ptr))
}

// array is an array in PostgreSQL's binary format (array_send in arrayfuncs.c): the server takes each value as it is, where
// it would cut a text into elements and parse each of them. lib/pq sends a parameter of type []byte in that format.
type array struct {
	buf   []byte
	count int
	nulls bool
}

// arrayHeader is the length of what comes before the elements: dimensions, flags, type, length, lower bound.
const arrayHeader = 5 * 4

func newArray(e element, size int) *array {
	const guess = 16 // bytes for each element; what is longer grows
	a := &array{buf: make([]byte, arrayHeader, arrayHeader+size*guess)}
	binary.BigEndian.PutUint32(a.buf[8:], e.oid)
	return a
}

// bytes ends the array.
func (a *array) bytes() []byte {
	if a.nulls {
		a.buf[7] = 1
	}
	a.buf[3] = 1                                            // one dimension
	binary.BigEndian.PutUint32(a.buf[12:], uint32(a.count)) //nolint:gosec // G115: rows of one chunk
	a.buf[19] = 1                                           // the first element's number
	return a.buf
}

// add appends a field as an element.
func (a *array) add(ptr any) {
	a.count++
	at := len(a.buf)
	a.buf = append(a.buf, 0, 0, 0, 0)
	if !a.value(ptr) {
		a.nulls = true
		binary.BigEndian.PutUint32(a.buf[at:], 1<<32-1)
		return
	}
	binary.BigEndian.PutUint32(a.buf[at:], uint32(len(a.buf)-at-4)) //nolint:gosec // G115: bounded by one answer's item
}

// value appends the bytes of a field, or reports that it is NULL.
func (a *array) value(ptr any) bool {
	switch p := ptr.(type) {
	case *string:
		a.buf = append(a.buf, *p...)
	case *JSON:
		if *p == nil {
			return false
		}
		a.buf = append(a.buf, *p...)
	case *List:
		a.buf = p.appendArray(a.buf)
	case *[]byte:
		a.buf = append(a.buf, *p...)
	case *int64:
		a.int64(*p)
	case *bool:
		a.bool(*p)
	case *time.Time:
		a.time(*p)
	case **int64:
		return optional(*p, a.int64)
	case **bool:
		return optional(*p, a.bool)
	case **time.Time:
		return optional(*p, a.time)
	default:
		panic(fmt.Sprintf("a column of type %T", ptr))
	}
	return true
}

func optional[T any](p *T, add func(T)) bool {
	if p != nil {
		add(*p)
	}
	return p != nil
}

//nolint:gosec // G115: the bits as they are
func (a *array) int64(n int64) { a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(n)) }

func (a *array) bool(b bool) {
	bit := byte(0)
	if b {
		bit = 1
	}
	a.buf = append(a.buf, bit)
}

// time is sent as microseconds since PostgreSQL's own epoch.
func (a *array) time(t time.Time) {
	const epoch = 946_684_800_000_000 // 2000-01-01 in Unix microseconds
	a.int64(t.UnixMicro() - epoch)
}
