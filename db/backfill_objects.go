package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// redactedText stands for a value that the operator has hidden. A column made from one keeps what it has: owners' tags, for
// instance, grant permissions.
const redactedText = "[redacted]"

// backfillObjects brings the rows of a kind up to date, tombstones included.
func backfillObjects(t *table) func(context.Context, *backfillBatch, int64) (int64, error) {
	return func(ctx context.Context, b *backfillBatch, after int64) (last int64, err error) {
		var columns, whole [][]any
		query := "SELECT " + t.read + ", info FROM " + t.name + " WHERE id > ? ORDER BY id LIMIT ?"
		err = b.read(ctx, query, after, func(rows *sql.Rows) (int, error) {
			was, err := t.scan(rows)
			if err != nil {
				return 0, err
			}
			base := was.Base()
			last = base.ID
			is := b.remade(t, was)
			switch {
			case is == nil:
			case bytes.Equal(is.Base().Info, base.Info):
				columns = append(columns, append(t.contentPointers(is), &base.ID, &base.Digest))
			default:
				whole = append(whole, append(t.contentPointers(is), &is.Base().Info, &base.ID, &base.Digest))
			}
			return len(base.Info), nil
		})
		if err != nil {
			return 0, err
		}
		// A row whose digest is another was written meanwhile. What did not change of info is not written: it is most of the
		// row.
		set := t.contentNames()
		if err := b.write(ctx, t.name, set, []string{"id", "digest"}, columns); err != nil {
			return 0, err
		}
		return last, b.write(ctx, t.name, append(set, "info"), []string{"id", "digest"}, whole)
	}
}

// remade gives a row as it would be stored today, nil if it is that already. Who the object is stays what it is.
func (b *backfillBatch) remade(t *table, was Row) Row {
	is, err := b.remake.Row(t.kind, was.Base().Info)
	if err != nil || !t.holds(is) {
		info, err := b.remake.Info(was.Base().Info)
		if err != nil || bytes.Equal(info, was.Base().Info) {
			return nil
		}
		is = t.copyOf(was)
		is.Base().Info = info
		return is
	}
	if t.adopt(is, was) && bytes.Equal(is.Base().Info, was.Base().Info) {
		return nil
	}
	return is
}

// modern gives the rows on record as they would be stored today, to compare with: a row that an earlier version stored
// differs from today's answer in nothing but what the cluster changed.
func (a *applier) modern(known map[string]Row) {
	if a.remake == nil {
		return
	}
	for uuid, was := range known {
		is, err := a.remake.Row(a.t.kind, was.Base().Info)
		if err != nil || !a.t.holds(is) {
			was.Base().Info = a.modernInfo(was.Base().Info)
			continue
		}
		a.t.adopt(is, was)
		known[uuid] = is
	}
}

// modernInfo gives JSON on record as it would be stored today.
func (a *applier) modernInfo(info JSON) JSON {
	if a.remake == nil || info == nil {
		return info
	}
	if made, err := a.remake.Info(info); err == nil {
		return made
	}
	return info
}

// copyOf copies a row.
func (t *table) copyOf(row Row) Row {
	c := reflect.New(t.typ)
	c.Elem().Set(reflect.ValueOf(row).Elem())
	is, _ := reflect.TypeAssert[Row](c)
	return is
}

// adopt gives a row that was made anew the bookkeeping of the one on record, and reports whether all columns are the same.
func (t *table) adopt(is, was Row) (same bool) {
	info := is.Base().Info
	*is.Base() = *was.Base()
	is.Base().Info = info
	same = true
	before, _ := t.content(was)
	after, _ := t.content(is)
	for i := range after {
		cleanField(after[i])
		if isHidden(after[i]) {
			reflect.ValueOf(after[i]).Elem().Set(reflect.ValueOf(before[i]).Elem())
		}
		same = same && sameField(before[i], after[i])
	}
	return same
}

// isHidden says that a field was made from a hidden value.
func isHidden(ptr any) bool {
	switch p := ptr.(type) {
	case *string:
		return *p == redactedText
	case *List:
		return slices.Equal(*p, List{redactedText})
	}
	return false
}

// contentPointers matches contentNames.
func (t *table) contentPointers(row Row) []any {
	ptrs, _ := t.content(row)
	return ptrs
}

// contentNames are the typed columns.
func (t *table) contentNames() []string {
	names := make([]string, 0, len(t.columns)-t.typed+1)
	for _, c := range t.columns[t.typed:] {
		names = append(names, c.name)
	}
	return names
}

// read runs a query of a batch and hands its rows over, until there are enough bytes in memory. scan returns a row's.
func (b *backfillBatch) read(ctx context.Context, query string, after int64, scan func(*sql.Rows) (int, error)) (err error) {
	rows, err := b.x.QueryContext(ctx, b.x.Rebind(query), after, backfillRows)
	if err != nil {
		return fmt.Errorf("reading the rows after %d: %w", after, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; size < chunkBytes && rows.Next(); {
		n, err := scan(rows)
		if err != nil {
			return fmt.Errorf("reading the rows after %d: %w", after, err)
		}
		size += n
		b.checked++
	}
	return rows.Err()
}

// write stores columns of rows that are known by their keys; a row has pointers to the columns' fields, then to the keys'.
func (b *backfillBatch) write(ctx context.Context, table string, set, keys []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	n, err := b.x.d.update(ctx, b.x, update{table: table, set: set, keys: keys, rows: rows})
	if err != nil {
		return fmt.Errorf("writing %d rows: %w", len(rows), err)
	}
	if n < int64(len(rows)) {
		return errMoved
	}
	b.changed += n
	return nil
}
