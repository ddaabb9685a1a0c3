package db

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// sqliteScript begins the schema as a script, with goose's version table as goose creates it.
const sqliteScript = `-- It may be applied to an empty file: sqlite3 FILE < schema.sql

BEGIN;

CREATE TABLE ` + versionTable + ` (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp     TIMESTAMP DEFAULT (datetime('now'))
);
`

func sqliteDialect() *dialect {
	return &dialect{
		name:        "sqlite",
		goose:       goose.DialectSQLite3,
		script:      sqliteScript,
		schemaTable: "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?",
		clock:       "strftime('%Y-%m-%d %H:%M:%f', 'now')",
		clockPlus:   "strftime('%Y-%m-%d %H:%M:%f', 'now', CAST(? AS TEXT) || ' seconds')",
		drawTicket:  "UPDATE request_tickets SET last_value = last_value + 1 RETURNING last_value AS number, NULL AS at",
		heardOf: "r.expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now') AND r.expires_at <= strftime('%Y-%m-%d %H:%M:%f', 'now', " +
			"(coalesce(nullif(r.ttl_ms, 0), 600000) / 1000.0 + 2) || ' seconds')",
		setTicket:   "UPDATE request_tickets SET last_value = ?",
		snapshot:    &sql.TxOptions{ReadOnly: true}, // WAL: a reader sees the database as of its first read
		lastID:      "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?",
		lastChange:  "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes')",
		noSync:      "true", // synchronous=NORMAL does not wait for the disk at a commit anyway
		search:      sqliteSearch(),
		in:          func(column string) string { return column + " IN (SELECT value FROM json_each(?))" },
		list:        func(values []string) any { return List(values).jsonText() },
		cast:        func(expr, _ string) string { return expr },
		argument:    sqliteArgument,
		load:        sqliteLoad,
		endSessions: func(context.Context, *txn, []string) (int64, error) { return 0, nil },
		upserts:     sqliteUpserts,
		setDigests:  sqliteSetDigests,
		update:      sqliteUpdate,
		startWipe:   sqliteStartWipe,
		endWipe:     sqliteEndWipe,
		setLastID:   sqliteSetLastID,
		publish:     sqlitePublish,
		retryable:   func(err error) bool { return sqliteTrouble(err) == TroubleLocked },
	}
}

// sqliteCode returns SQLite's result code, or 0 for another error.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func sqliteArgument(ptr any) any {
	switch p := ptr.(type) {
	case *List:
		return p.jsonText()
	case *JSON:
		if *p == nil {
			return nil
		}
		return string(*p) // as []byte it would be stored as a blob
	}
	return plainArgument(ptr)
}

// sqliteUpsertRows is how many rows one statement writes. SQLite keeps each page as it was before a statement in memory
// until its end, and a row is in a page of each index.
const sqliteUpsertRows = 10

func sqliteUpserts(t *table, rows []Row) []statement {
	suffix := onConflict(t)
	var upserts []statement
	for part := range slices.Chunk(rows, sqliteUpsertRows) {
		args := make([]any, 0, len(part)*len(t.written))
		for _, row := range part {
			for _, p := range t.writePointers(row) {
				args = append(args, sqliteArgument(p))
			}
		}
		upserts = append(upserts, statement{valuesStatement(t.name, t.written, len(part), suffix), args})
	}
	return upserts
}

func sqliteSetDigests(ctx context.Context, x *txn, t *table, clusterID int64, rows []Row) (err error) {
	stmt, err := x.PreparexContext(ctx, "UPDATE "+t.name+" SET digest = ? WHERE cluster_id = ? AND uuid = ?")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row.Base().Digest, clusterID, row.Base().UUID); err != nil {
			return err
		}
	}
	return nil
}

// sqliteStartWipe has what is overwritten or deleted zeroed.
func sqliteStartWipe(ctx context.Context, writer *pool) error {
	_, err := writer.ExecContext(ctx, "PRAGMA secure_delete = ON")
	return err
}

// sqliteEndWipe empties the log of changes, which still has pages as they were. While another process reads it stays, and is
// emptied later by whoever writes.
func sqliteEndWipe(ctx context.Context, writer *pool) error {
	if _, err := writer.ExecContext(ctx, "PRAGMA secure_delete = OFF"); err != nil {
		return err
	}
	_, err := writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if sqliteTrouble(err) == TroubleLocked {
		return nil
	}
	return err
}

// sqliteSetLastID writes SQLite's own table, which has no key to upsert by.
func sqliteSetLastID(ctx context.Context, x *txn, table string, id int64) error {
	if _, err := x.exec(ctx, "DELETE FROM sqlite_sequence WHERE name = ?", table); err != nil {
		return err
	}
	_, err := x.exec(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", table, id)
	return err
}
