package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// everyLock takes all the locks that need no right, or only that to read, in a transaction that stays open: advisory ones
// under every number that the updater or goose has ever used, and the weakest one of each table.
func everyLock(t *testing.T, reader *sqlx.DB, tables ...string) {
	t.Helper()
	conn := must(reader.Connx(t.Context()))(t)
	t.Cleanup(func() { conn.Close() })
	must(conn.ExecContext(t.Context(), "SET default_transaction_read_only = off"))(t)
	must(conn.ExecContext(t.Context(), "BEGIN"))(t)
	for _, key := range []string{
		"coalesce(to_regclass('changes')::oid::bigint, 1)", "coalesce(to_regclass('change_log')::oid::bigint, 1)",
		"coalesce(to_regclass('ganeti_cache_schema')::oid::bigint, 1)",
		"5887940537704921958", // goose's own
	} {
		must(conn.ExecContext(t.Context(), "SELECT pg_advisory_lock("+key+"), pg_advisory_xact_lock("+key+")"))(t)
	}
	for _, table := range tables {
		must(conn.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ACCESS SHARE MODE"))(t)
	}
}

// TestRoles_ReaderStopsNobody: a role that may read holds every lock that it can get.
func TestRoles_ReaderStopsNobody(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	updater, reader := r.store(t, address, db.Options{}), r.connect(t, address, "reader")
	readable := []string{
		"virtual_machines", "nodes", "node_groups", "networks", "jobs", "changes", "permissions", "freshness", "quarantine", "change_log",
	}
	id := oneCluster(t, updater)
	apply(t, updater, snapshot(id, 0, 1, 0))
	everyLock(t, reader, readable...)
	for _, table := range append(readable, "ganeti_cache_schema") {
		lock := func(mode string) string { return "DO $$ BEGIN LOCK TABLE " + table + " IN " + mode + " MODE; END $$" }
		refused(t, reader, "SELECT 1 FROM "+table+" FOR UPDATE", "SELECT 1 FROM "+table+" FOR KEY SHARE",
			lock("ROW SHARE"), lock("ROW EXCLUSIVE"),
			lock("SHARE UPDATE EXCLUSIVE"), lock("ACCESS EXCLUSIVE"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := updater.Apply(ctx, snapshot(id, 1, 2, 1)); err != nil {
		t.Errorf("a reader has stopped the writing: %v", err)
	}
	if _, err := updater.Purge(ctx, time.Now()); err != nil {
		t.Errorf("a reader has stopped the purging: %v", err)
	}
	if err := updater.Migrate(ctx); err != nil {
		t.Errorf("a reader has stopped who has nothing to migrate: %v", err)
	}
}

// TestRoles_ConnectingStopsNoMigration: nor does one that may only connect keep the owner from making the schema.
func TestRoles_ConnectingStopsNoMigration(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	r.run(t, r.connect(t, r.database(t), ""), "reader") // so that the role exists
	empty := dbtest.PostgresURL(t)
	admin := r.connect(t, empty, "")
	r.run(t, admin, "owner")
	admin.MustExec("GRANT CONNECT ON DATABASE " + databaseOf(t, admin) + " TO " + r.prefix + "reader")
	everyLock(t, r.connect(t, empty, "reader"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	owner := must(db.Open(ctx, r.as(t, empty, "owner"), db.Options{MaxConns: 1}))(t)
	defer owner.Close()
	if err := owner.Migrate(ctx); err != nil {
		t.Errorf("who may connect has stopped the migration: %v", err)
	}
}
