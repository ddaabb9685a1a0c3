package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// whole is a row as changes.object has it: info and every column, with values as fields have them, but for the digest and
// the ticket, which are tokens of the updater's.
func (t *table) whole(row Row) (JSON, error) {
	v := reflect.ValueOf(row).Elem()
	values := make(map[string]any, len(t.columns))
	for _, c := range t.columns {
		if c.name == "ticket" {
			continue
		}
		switch p := v.FieldByIndex(c.index).Addr().Interface().(type) {
		case *[]byte:
		case *JSON:
			values[c.name] = *p
		case *time.Time:
			values[c.name] = p.UTC().Format(time.RFC3339Nano)
		default:
			values[c.name] = shownField(p)
		}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encoding %s %s: %w", t.kind, row.Base().UUID, err)
	}
	return text, nil
}

// wholeRows reads rows with everything they hold.
func (t *table) wholeRows(ctx context.Context, q querier, condition string, args []any, take func(Row) error) (err error) {
	rows, err := q.QueryContext(ctx, q.Rebind("SELECT "+t.read+", info FROM "+t.name+" WHERE "+condition), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		row, err := t.scan(rows)
		if err != nil {
			return err
		}
		if err := take(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scan reads a row of the columns that t.read names, and info.
func (t *table) scan(rows *sql.Rows) (Row, error) {
	row, ok := reflect.TypeAssert[Row](reflect.New(t.typ))
	if !ok {
		return nil, fmt.Errorf("%s is no row type", t.typ)
	}
	if err := rows.Scan(append(t.readPointers(row), &row.Base().Info)...); err != nil {
		return nil, err
	}
	base := row.Base()
	base.ObservedAt = cleanTime(base.ObservedAt)
	return row, nil
}

// complete gives the entries of removed objects the rows as they were: the tombstones, which have everything but the time of
// the observation before. It comes as late as that, a part at a time, because thousands of whole objects are not to be in
// memory.
func (e *entries) complete(ctx context.Context, x *txn, part []changeRow) error {
	missing := make(map[string]*changeRow)
	var uuids []string
	for i := range part {
		if c := &part[i]; c.Op == string(OpRemoved) && c.Object == nil {
			missing[c.UUID] = c
			uuids = append(uuids, c.UUID)
		}
	}
	if len(uuids) == 0 {
		return nil
	}
	err := e.table.wholeRows(ctx, x, "cluster_id = ? AND "+x.d.in("uuid"), []any{e.clusterID, x.d.list(uuids)}, func(row Row) error {
		base := row.Base()
		c := missing[base.UUID]
		base.DeletedAt, base.ObservedAt = nil, cleanTime(c.before)
		var err error
		c.Object, err = e.table.whole(row)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading what was removed: %w", err)
	}
	return nil
}

// release lets go of the objects of entries that are stored.
func release(part []changeRow) {
	for i := range part {
		part[i].Object = nil
	}
}
