package db

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// copyFlush is how much text is gathered before it goes to the driver; the driver's own buffer has the same size.
const copyFlush = 60 << 10

// rawCopy is the part of lib/pq's COPY statement that takes lines as they go over the wire. Going through Exec with one
// value per column instead costs an interface value and a formatted copy of each.
type rawCopy interface {
	driver.Stmt
	CopyData(ctx context.Context, line string) (driver.Result, error)
}

// copyLoader streams rows into a table with COPY … FROM STDIN in text format. Nothing else can run on the connection
// until it is closed.
type copyLoader struct {
	x    *txn
	stmt rawCopy
	buf  []byte
}

func openCopy(ctx context.Context, x *txn, table string, columns []string) (*copyLoader, error) {
	l := &copyLoader{x: x, buf: make([]byte, 0, copyFlush+8<<10)}
	query := "COPY " + table + " (" + strings.Join(columns, ", ") + ") FROM STDIN"
	err := x.raw(func(conn any) error {
		preparer, ok := conn.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("the driver's %T cannot prepare a COPY", conn)
		}
		stmt, err := preparer.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		if l.stmt, ok = stmt.(rawCopy); !ok {
			return errors.Join(fmt.Errorf("the driver's %T takes no COPY data", stmt), stmt.Close())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("starting COPY into %s: %w", table, err)
	}
	return l, nil
}

func (l *copyLoader) add(ctx context.Context, ptrs []any) error {
	if len(l.buf) > 0 {
		l.buf = append(l.buf, '\n')
	}
	for i, p := range ptrs {
		if i > 0 {
			l.buf = append(l.buf, '\t')
		}
		l.buf = appendCopyField(l.buf, p)
	}
	if len(l.buf) < copyFlush {
		return nil
	}
	return l.flush(ctx)
}

func (l *copyLoader) flush(ctx context.Context) error {
	if len(l.buf) == 0 {
		return nil
	}
	err := l.x.raw(func(any) error {
		// The driver ends each line it is given with a newline; a string of several lines is no different to it.
		_, err := l.stmt.CopyData(ctx, string(l.buf))
		return err
	})
	l.buf = l.buf[:0]
	return err
}

func (l *copyLoader) close(ctx context.Context) error {
	flushErr := l.flush(ctx)
	closeErr := l.x.raw(func(any) error {
		return l.stmt.Close()
	})
	// What the server said while rows were still being sent is reported by both.
	if closeErr != nil {
		return closeErr
	}
	return flushErr
}

// appendCopyField appends a field in COPY's text format.
func appendCopyField(b []byte, ptr any) []byte {
	const null = `\N`
	switch p := ptr.(type) {
	case *string:
		return appendCopyText(b, *p)
	case *JSON:
		if *p == nil {
			return append(b, null...)
		}
		return appendCopyText(b, *p)
	case *List:
		if len(*p) == 0 {
			return append(b, "{}"...)
		}
		return appendCopyText(b, p.array())
	case *[]byte:
		if *p == nil {
			return append(b, null...)
		}
		return hex.AppendEncode(append(b, `\\x`...), *p)
	case *int64:
		return strconv.AppendInt(b, *p, 10)
	case *bool:
		return strconv.AppendBool(b, *p)
	case *time.Time:
		return appendCopyTime(b, *p)
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
			return appendCopyTime(b, **p)
		}
	default:
		panic(fmt.Sprintf("copying a column of type %T", ptr))
	}
	return append(b, null...)
}

func appendCopyTime(b []byte, t time.Time) []byte {
	return t.AppendFormat(b, "2006-01-02 15:04:05.999999Z07:00")
}

// appendCopyText escapes what COPY's text format gives a meaning to. Long stretches without such bytes, the rule in
// JSON from Ganeti, are copied whole.
func appendCopyText[T string | JSON | []byte](b []byte, s T) []byte {
	start := 0
	for i := range len(s) {
		var escaped byte
		switch s[i] {
		case '\\':
			escaped = '\\'
		case '\n':
			escaped = 'n'
		case '\r':
			escaped = 'r'
		case '\t':
			escaped = 't'
		default:
			continue
		}
		b = append(append(b, s[start:i]...), '\\', escaped)
		start = i + 1
	}
	return append(b, s[start:]...)
}
