package db

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// postgresUpsert sends the rows as one array for each column: one short statement for many rows, where VALUES would name
// every single value, and no temporary table, whose making and unmaking costs more than a hundred rows do. All of them are
// in memory three times meanwhile: callers give a chunk at a time.
func postgresUpsert(ctx context.Context, x *txn, t *table, rows []Row) (int64, error) {
	arrays := make([][]byte, len(t.written))
	for n, row := range rows {
		separator := byte(',')
		if n == 0 {
			separator = '{'
		}
		for i, p := range t.writePointers(row) {
			arrays[i] = appendElement(append(arrays[i], separator), p)
		}
	}
	args := make([]any, len(arrays))
	for i, a := range arrays {
		args[i] = string(append(a, '}'))
	}
	return x.exec(ctx, unnestStatement(t), args...)
}

// unnestStatement upserts from arrays of text: PostgreSQL casts each element as it would cast a parameter.
func unnestStatement(t *table) string {
	types := t.writePointers(t.zero())
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.name + " (" + strings.Join(t.written, ", ") + ") SELECT ")
	for i, column := range t.written {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("u." + column + "::" + postgresType(types[i]))
	}
	b.WriteString(" FROM unnest(?::text[]" + strings.Repeat(", ?::text[]", len(t.written)-1) + ")")
	b.WriteString(" AS u (" + strings.Join(t.written, ", ") + ")")
	b.WriteString(onConflict(t))
	return b.String()
}

// postgresType names the type of a field.
func postgresType(ptr any) string {
	switch ptr.(type) {
	case *string:
		return "text"
	case *JSON:
		return "jsonb"
	case *List:
		return "text[]"
	case *[]byte:
		return "bytea"
	case *int64, **int64:
		return "bigint"
	case *bool, **bool:
		return "boolean"
	case *time.Time, **time.Time:
		return "timestamptz"
	}
	panic(fmt.Sprintf("a column of type %T", ptr))
}

// appendElement appends a field as an element of an array literal.
func appendElement(b []byte, ptr any) []byte {
	switch p := ptr.(type) {
	case *string:
		return appendQuoted(b, *p)
	case *JSON:
		if *p != nil {
			return appendQuoted(b, *p)
		}
	case *List:
		return appendQuoted(b, p.array())
	case *[]byte:
		return append(hex.AppendEncode(append(b, `"\\x`...), *p), '"')
	case *int64:
		return strconv.AppendInt(b, *p, 10)
	case *bool:
		return strconv.AppendBool(b, *p)
	case *time.Time:
		return appendQuotedTime(b, *p)
	case **int64:
		if *p != nil {
			return strconv.AppendInt(b, **p, 10)
		}
	case **bool:
		if *p != nil {
			return strconv.AppendBool(b, **p)
		}
	case **time.Time:
		if *p != nil {
			return appendQuotedTime(b, **p)
		}
	default:
		panic(fmt.Sprintf("a column of type %T", ptr))
	}
	return append(b, "NULL"...)
}

func appendQuotedTime(b []byte, t time.Time) []byte {
	return append(appendCopyTime(append(b, '"'), t), '"')
}

// appendQuoted appends a text as an element of an array literal. Stretches without a quote or a backslash are copied
// whole.
func appendQuoted[T string | JSON | []byte](b []byte, s T) []byte {
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
