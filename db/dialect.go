package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is everything in which the two databases differ, as a value: the code above it has no branches on the name.
type dialect struct {
	// name is also that of its folder below db/migrations.
	name  string
	goose goose.Dialect
	// replicas says that several processes may migrate at once, so that a lock is needed.
	replicas bool
	// script begins the schema as a script.
	script string
	// forUpdate locks the selected rows; SQLite's writer already has the whole database.
	forUpdate string
	// skipLocked is forUpdate without waiting: rows that others have locked are not selected.
	skipLocked string
	// encoding gives the name of the encoding that texts are stored in; "" where it can only be one.
	encoding string
	// schemaTable counts the tables named like the version table that unqualified names reach.
	schemaTable string
	// clock is the database's time as an expression; clockPlus is that so many seconds later, with one placeholder.
	clock, clockPlus string
	// heardOf says of a row r of replicas that it is heard of: it has not expired, and does not expire later than its lease time
	// allows either, as it would if a clock had been wrong. A row of an older version, which names none, is allowed ten minutes.
	heardOf string
	// drawTicket gives the next number and the database's time, where it has a clock of its own.
	drawTicket string
	// readClock reads the database's own clock; "" where it has none.
	readClock string
	// setTicket has the next ticket follow this number.
	setTicket string
	// snapshot are the options of a transaction that sees the database as it was at its first statement.
	snapshot *sql.TxOptions
	// lockClusters keeps other writers from the clusters until the end of the transaction; "" where it has no others beside.
	lockClusters string
	// lastID gives the highest id that a table (one placeholder) ever gave out.
	lastID string
	// lastChange is an expression for the last id that changes gave out, whether or not its entry is still there.
	lastChange string
	// lockLog waits until whoever appends to changes has committed, and keeps others from it; "" where there is one writer.
	lockLog string
	// noSync is true for a row and turns off waiting for the disk at the commit of the statement's own transaction, where
	// that exists, and bounds its waiting as limits does.
	noSync string

	// search is what searches need beside the rest.
	search searchWords

	// in is a condition: column is among the elements of the one argument made by list.
	in   func(column string) string
	list func(values []string) any
	// cast gives a placeholder its type where the statement does not.
	cast func(expr, typ string) string
	// argument turns a pointer to a field into a statement's argument.
	argument func(ptr any) any
	// fingerprints reads what a query of uuid, digest and id gives, with the generation, or is not ok when that has to be
	// read row by row.
	fingerprints func(ctx context.Context, reader *pool, query string, args []any) (f Fingerprints, ok bool, err error)
	// load streams rows into a table.
	load func(ctx context.Context, x *txn, table string, columns []string) (loader, error)
	// upserts insert rows or update those with the same cluster and uuid.
	upserts func(t *table, rows []Row) []statement
	// setDigests stores new digests of rows that are otherwise as they were.
	setDigests func(ctx context.Context, x *txn, t *table, clusterID int64, rows []Row) error
	// update writes columns of rows that are known by keys, and counts those it found.
	update func(ctx context.Context, x *txn, u update) (int64, error)
	// hurry bounds the waiting of a transaction that gives way to others; "" where waiting is bounded anyway.
	hurry string
	// startWipe makes the writer leave nothing behind of what it overwrites, until endWipe, which makes that true of
	// the database's file. Where a server looks after its files, they do nothing.
	startWipe, endWipe func(ctx context.Context, writer *pool) error
	// setLastID makes a table give out the ids above this one.
	setLastID func(ctx context.Context, x *txn, table string, id int64) error
	// publish appends entries to changes, so that ids become visible in ascending order, and tells listeners, where the
	// database can. Without entries it only tells them.
	publish func(ctx context.Context, x *txn, e *entries) (idRange, error)
	// endSessions ends sessions that still write in the name of leases whose holder was not heard of for the lease time.
	endSessions func(ctx context.Context, x *txn, clusters []string) (int64, error)
	// limits is run at the beginning of each transaction to bound its waiting, where the database can.
	limits string
	// retryable recognises errors that another try of the same transaction may not meet.
	retryable func(err error) bool
}

// loader takes rows as pointers to their fields, in the order of the columns it was made for. What the pointers lead to
// may change after add returns. close ends the load and must be called, also after an error.
type loader interface {
	add(ctx context.Context, ptrs []any) error
	close(ctx context.Context) error
}

// Bounds of one chunk of rows held in memory and of one multi-row statement.
const (
	chunkRows  = 250
	chunkBytes = 4 << 20
	valuesRows = 100
)

// valuesStatement inserts n rows with placeholders.
func valuesStatement(table string, columns []string, n int, suffix string) string {
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " +
		row + strings.Repeat(", "+row, n-1) + suffix
}

// onConflict makes an insert an upsert. A row with a newer observation is left alone; the lock on the freshness row
// already sees to that for snapshots, this holds for any other writer.
func onConflict(t *table) string {
	var b strings.Builder
	b.WriteString(" ON CONFLICT (cluster_id, uuid) DO UPDATE SET ")
	first := true
	for _, c := range t.written {
		if c == "cluster_id" || c == "uuid" {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(c + " = excluded." + c)
	}
	b.WriteString(" WHERE " + notNewer(t.name+".ticket", "excluded.ticket"))
	return b.String()
}

// arguments appends a row's statement arguments.
func (d *dialect) arguments(args []any, ptrs []any) []any {
	for _, p := range ptrs {
		args = append(args, d.argument(p))
	}
	return args
}

// joinClose ends a load after an error. The server's own error, if any, comes with it.
func joinClose(ctx context.Context, err error, l loader) error {
	return errors.Join(err, l.close(ctx))
}
