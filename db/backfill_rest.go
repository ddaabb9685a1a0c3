package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"
)

// backfillClusters brings what clusters say of themselves up to date.
func backfillClusters(ctx context.Context, b *backfillBatch, after int64) (int64, error) {
	return backfillJSON(ctx, b, after, "clusters", []string{"info"}, func(b *backfillBatch, v []JSON) ([]JSON, error) {
		return remadeJSON(b.remake.Info, v)
	})
}

// backfillChanges brings entries up to date: the fields, and the whole row that a removal keeps.
func backfillChanges(ctx context.Context, b *backfillBatch, after int64) (int64, error) {
	return backfillJSON(ctx, b, after, "changes", []string{"fields", "object"}, func(b *backfillBatch, v []JSON) ([]JSON, error) {
		fields, err := remadeJSON(b.remake.Fields, v[:1])
		if err != nil {
			return nil, err
		}
		object, err := remadeJSON(b.remake.Info, v[1:])
		return append(fields, object...), err
	})
}

// remadeJSON gives columns of JSON anew. What is no JSON that today's program takes stays as it is.
func remadeJSON(remake func(JSON) (JSON, error), was []JSON) ([]JSON, error) {
	is := make([]JSON, len(was))
	for i, v := range was {
		is[i] = v
		if v == nil {
			continue
		}
		if made, err := remake(v); err == nil {
			is[i] = made
		}
	}
	return is, nil
}

// backfillJSON walks through columns of JSON.
func backfillJSON(
	ctx context.Context, b *backfillBatch, after int64, table string, columns []string,
	remake func(*backfillBatch, []JSON) ([]JSON, error),
) (last int64, err error) {
	var changed [][]any
	query := "SELECT id, " + strings.Join(columns, ", ") + " FROM " + table + " WHERE id > ? ORDER BY id LIMIT ?"
	err = b.read(ctx, query, after, func(rows *sql.Rows) (int, error) {
		id, was := new(int64), make([]JSON, len(columns))
		ptrs, size := []any{id}, 0
		for i := range was {
			ptrs = append(ptrs, &was[i])
		}
		if err := rows.Scan(ptrs...); err != nil {
			return 0, err
		}
		last = *id
		is, err := remake(b, was)
		if err != nil {
			return 0, err
		}
		differ, row := false, make([]any, 0, len(is)+1)
		for i := range is {
			size += len(was[i])
			differ = differ || !bytes.Equal(is[i], was[i])
			row = append(row, &is[i])
		}
		if differ {
			changed = append(changed, append(row, id))
		}
		return size, nil
	})
	if err != nil {
		return 0, err
	}
	return last, b.write(ctx, table, columns, []string{"id"}, changed)
}

// backfillQuarantine brings what could not be stored up to date.
func backfillQuarantine(ctx context.Context, b *backfillBatch, after int64) (last int64, err error) {
	var changed [][]any
	err = b.read(ctx, "SELECT id, raw FROM quarantine WHERE id > ? ORDER BY id LIMIT ?", after, func(rows *sql.Rows) (int, error) {
		id, raw := new(int64), new(string)
		if err := rows.Scan(id, raw); err != nil {
			return 0, err
		}
		last = *id
		if made := cleanText(b.remake.Raw(*raw)); made != *raw {
			changed = append(changed, []any{&made, id})
		}
		return len(*raw), nil
	})
	if err != nil {
		return 0, err
	}
	return last, b.write(ctx, "quarantine", []string{"raw"}, []string{"id"}, changed)
}

// update writes columns of rows known by keys.
type update struct {
	table     string
	set, keys []string
	// rows have pointers to the fields of set, then of keys.
	rows [][]any
}

func (u *update) columns() []string { return append(append([]string{}, u.set...), u.keys...) }

// postgresUpdate sends all rows as one array for each column.
func postgresUpdate(ctx context.Context, x *txn, u update) (int64, error) {
	columns := u.columns()
	_, arrays := unnest(columns, u.rows[0])
	assign, match := make([]string, len(u.set)), make([]string, len(u.keys))
	for i, c := range u.set {
		assign[i] = c + " = u." + c + castOf(u.rows[0][i])
	}
	for i, c := range u.keys {
		match[i] = u.table + "." + c + " = u." + c
	}
	query := "UPDATE " + u.table + " SET " + strings.Join(assign, ", ") + " FROM " + arrays + " WHERE " + strings.Join(match, " AND ")
	return x.exec(ctx, query, arraysOf(u.rows[0], len(u.rows), func(i int) []any { return u.rows[i] })...)
}

// sqliteUpdate writes row by row.
func sqliteUpdate(ctx context.Context, x *txn, u update) (written int64, err error) {
	query := "UPDATE " + u.table + " SET " + strings.Join(u.set, " = ?, ") + " = ? WHERE " + strings.Join(u.keys, " = ? AND ") + " = ?"
	stmt, err := x.PreparexContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for _, row := range u.rows {
		result, err := stmt.ExecContext(ctx, x.d.arguments(nil, row)...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		written += n
	}
	return written, nil
}
