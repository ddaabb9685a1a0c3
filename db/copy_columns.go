package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// copiedColumn is a column that source and target both have.
type copiedColumn struct {
	name string
	// field makes what a value is scanned into and written from.
	field func() any
}

// columns returns a table's columns, in the source's order. A column that only one side has is an error: nothing must be
// left behind.
func (c *copier) columns(ctx context.Context, table string) ([]copiedColumn, error) {
	names, from, err := columnTypes(ctx, c.source, table)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s of the source: %w", table, err)
	}
	_, to, err := columnTypes(ctx, c.target.Tx, table)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s of the target: %w", table, err)
	}
	columns := make([]copiedColumn, 0, len(names))
	for _, name := range names {
		if to[name] == "" {
			return nil, fmt.Errorf("the target's %s has no column %s", table, name)
		}
		field := fieldFor(from[name], to[name])
		if field == nil {
			return nil, fmt.Errorf("copying %s.%s: nothing is known of the types %s and %s", table, name, from[name], to[name])
		}
		columns = append(columns, copiedColumn{name, field})
	}
	if len(to) != len(columns) {
		return nil, fmt.Errorf("the target's %s has %d columns, the source's %d", table, len(to), len(columns))
	}
	return columns, nil
}

// columnTypes returns a table's columns in order, and the name that the driver has for the type of each.
func columnTypes(ctx context.Context, tx *sqlx.Tx, table string) (names []string, types map[string]string, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" LIMIT 0")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	types = make(map[string]string, len(columns))
	for _, c := range columns {
		names = append(names, c.Name())
		types[c.Name()] = c.DatabaseTypeName()
	}
	return names, types, rows.Err()
}

// fieldFor returns how to make a field for a column of these types on either side, or nil. SQLite has lists and JSON as
// text, so that PostgreSQL's type decides where there is one.
func fieldFor(from, to string) func() any {
	is := func(types ...string) bool { return slices.Contains(types, from) || slices.Contains(types, to) }
	switch {
	case is("_TEXT"):
		return func() any { return new(List) }
	case is("TEXT", "JSONB"):
		return func() any { return new(JSON) } // to both drivers a text that may be NULL
	case is("BYTEA", "BLOB"):
		return func() any { return new([]byte) }
	case is("TIMESTAMPTZ", "TIMESTAMP"):
		return func() any { return new(*time.Time) }
	case is("BOOL", "BOOLEAN"):
		return func() any { return new(*bool) }
	case is("INT4", "INT8", "INTEGER"):
		return func() any { return new(*int64) }
	}
	return nil
}

// copyTable streams a table's rows and returns their number.
func (c *copier) copyTable(ctx context.Context, table string, columns []copiedColumn) (n int64, err error) {
	names, ptrs := make([]string, len(columns)), make([]any, len(columns))
	for i, column := range columns {
		names[i], ptrs[i] = column.name, column.field()
	}
	rows, err := c.source.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+table)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	load, err := c.target.d.load(ctx, c.target, table, names)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return n, joinClose(ctx, err, load)
		}
		for _, p := range ptrs {
			cleanField(p)
		}
		if err := load.add(ctx, ptrs); err != nil {
			return n, joinClose(ctx, err, load)
		}
		n++
	}
	// Half a table must not be taken for a whole one: the load ends well only when the rows did.
	if err := rows.Err(); err != nil {
		return n, joinClose(ctx, err, load)
	}
	return n, load.close(ctx)
}
