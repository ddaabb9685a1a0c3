package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"
)

// store reads a database as any other program would: by SQL, without the updater's code.
type store struct {
	dialect string // postgres or sqlite
	db      *sql.DB
}

// row is an object on record, its values in the common form of value.go. The values hold info as well.
type row struct {
	id      int64
	deleted bool
	values  map[string]any
	// object is info decoded.
	object object
}

// rows are all rows: by kind, then by identity.
type rows map[string]map[string]row

// change is an entry of the table changes.
type entry struct {
	id         int64
	kind, uuid string
	name, op   string
	object     int64
	fields     map[string]any // column or key of info: {"old": …, "new": …}
}

// age is a row of freshness.
type age struct {
	refreshed time.Time
	reason    string
}

// record is one consistent look at a database.
type record struct {
	rows    rows
	changes []entry // with an id above the one asked for
	ages    map[string]age
	// quarantined counts items that the updater could not understand.
	quarantined int
}

// look reads everything in one transaction.
func (s *store) look(ctx context.Context, after int64) (r record, err error) {
	options := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if s.dialect == "sqlite" {
		options = nil // a transaction of SQLite is consistent anyhow
	}
	tx, err := s.db.BeginTx(ctx, options)
	if err != nil {
		return r, fmt.Errorf("looking at the database: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	r.rows = rows{}
	for _, k := range kinds() {
		if r.rows[k.name], err = s.rowsOf(ctx, tx, k); err != nil {
			return r, fmt.Errorf("reading the table %s: %w", k.table, err)
		}
	}
	if r.changes, err = changesAfter(ctx, tx, after); err != nil {
		return r, fmt.Errorf("reading the changes: %w", err)
	}
	if r.ages, err = agesOf(ctx, tx); err != nil {
		return r, fmt.Errorf("reading the freshness: %w", err)
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM quarantine").Scan(&r.quarantined); err != nil {
		return r, fmt.Errorf("counting the quarantine: %w", err)
	}
	return r, nil
}

func (s *store) rowsOf(ctx context.Context, tx *sql.Tx, k kind) (found map[string]row, err error) {
	deleted := "deleted_at IS NOT NULL"
	if k.name == "cluster" {
		deleted = "1 = 0" // clusters have no tombstones
	}
	selected := []string{"id", "uuid", deleted, "CAST(info AS TEXT)"}
	for _, c := range k.columns {
		if c.sort == sortList && s.dialect == "postgres" {
			selected = append(selected, "CAST(to_json("+c.name+") AS TEXT)")
			continue
		}
		selected = append(selected, c.name)
	}
	//nolint:gosec // names of the tables above
	result, err := tx.QueryContext(ctx, "SELECT "+strings.Join(selected, ", ")+" FROM "+k.table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	found = map[string]row{}
	for result.Next() {
		uuid, r, err := scanRow(result, k)
		if err != nil {
			return nil, err
		}
		found[uuid] = r
	}
	return found, result.Err()
}

func scanRow(result *sql.Rows, k kind) (uuid string, r row, err error) {
	var info sql.NullString
	values := make([]any, len(k.columns))
	into := []any{&r.id, &uuid, &r.deleted, &info}
	for i := range values {
		into = append(into, &values[i])
	}
	if err := result.Scan(into...); err != nil {
		return "", r, err
	}
	r.values = map[string]any{}
	for i, c := range k.columns {
		r.values[c.name] = c.sort.stored(values[i])
	}
	if !info.Valid { // a cluster that was never reached
		return uuid, r, nil
	}
	decoded, err := decode(info.String)
	if err != nil {
		return "", r, err
	}
	r.object, _ = decoded.(object)
	r.values["info"] = k.info(r.object)
	return uuid, r, nil
}

func changesAfter(ctx context.Context, tx *sql.Tx, after int64) (found []entry, err error) {
	const query = "SELECT id, kind, object_id, uuid, name, op, CAST(fields AS TEXT) FROM changes WHERE id > $1 ORDER BY id"
	result, err := tx.QueryContext(ctx, query, after)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	for result.Next() {
		var c entry
		var fields sql.NullString
		if err := result.Scan(&c.id, &c.kind, &c.object, &c.uuid, &c.name, &c.op, &fields); err != nil {
			return nil, err
		}
		if fields.Valid {
			decoded, err := decode(fields.String)
			if err != nil {
				return nil, err
			}
			c.fields, _ = decoded.(object)
		}
		found = append(found, c)
	}
	return found, result.Err()
}

func agesOf(ctx context.Context, tx *sql.Tx) (found map[string]age, err error) {
	result, err := tx.QueryContext(ctx, "SELECT kind, refreshed_at, error_reason FROM freshness")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	found = map[string]age{}
	for result.Next() {
		var kind string
		var refreshed sql.NullTime
		var a age
		if err := result.Scan(&kind, &refreshed, &a.reason); err != nil {
			return nil, err
		}
		a.refreshed = refreshed.Time.UTC()
		found[kind] = a
	}
	return found, result.Err()
}

// open reads url, which is "sqlite:PATH" or a URL of PostgreSQL.
func open(url string) (*store, error) {
	s := &store{dialect: "postgres"}
	source := url
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		s.dialect, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_query_only=1"
	}
	var err error
	if s.db, err = sql.Open(s.dialect, source); err != nil {
		return nil, fmt.Errorf("opening %s: %w", url, err)
	}
	return s, nil
}
