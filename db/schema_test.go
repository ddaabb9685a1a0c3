package db_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

var update = flag.Bool("update", false, "write schema.sql anew from the migrations")

const schemaFile = "../schema.sql"

// TestSchemaFile holds schema.sql against the migrations; with -update it writes it (make schema).
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	want := db.Schema("postgres")
	if *update {
		if err := os.WriteFile(schemaFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := string(must(os.ReadFile(schemaFile))(t))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schema.sql is not what the migrations say; run `make schema` (-want +got):\n%s", diff)
	}
	if db.Schema("mysql") != "" {
		t.Error("there is a schema for mysql")
	}
}

// catalog lists columns, constraints, indexes, views and comments.
const catalog = `
SELECT format('%s.%s %s default %s null %s compression %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              coalesce(pg_get_expr(d.adbin, d.adrelid), '-') || a.attidentity::text, NOT a.attnotnull, a.attcompression::text) AS line
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT viewname || definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT relname || coalesce(reloptions::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT objoid::regclass::text || objsubid || description FROM pg_description
WHERE classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
ORDER BY 1`

// A DBA may apply the script by hand; the updater finds the same schema then as it would have made.
func TestSchema_Script(t *testing.T) {
	t.Parallel()
	byHand := openURL(t, dbtest.PostgresURL(t))
	if err := byHand.CheckSchema(t.Context()); !isSchemaMissing(err) {
		t.Fatalf("an empty database: %v", err)
	}
	if _, err := byHand.Writer().ExecContext(t.Context(), db.Schema("postgres")); err != nil {
		t.Fatal(err)
	}
	checkCurrent(t, byHand)
	if diff := cmp.Diff(lines(t, dbtest.Postgres(t).DB(), catalog), lines(t, byHand.DB(), catalog)); diff != "" {
		t.Errorf("the script and the migrations differ (-migrated +script):\n%s", diff)
	}

	const master = "SELECT name || coalesce(sql, '') AS line FROM sqlite_master WHERE name NOT LIKE 'ganeti_cache_schema%' ORDER BY 1"
	lite := openURL(t, "sqlite:"+t.TempDir()+"/cache.db")
	if _, err := lite.Writer().ExecContext(t.Context(), db.Schema("sqlite")); err != nil {
		t.Fatal(err)
	}
	checkCurrent(t, lite)
	if diff := cmp.Diff(lines(t, dbtest.SQLite(t).DB(), master), lines(t, lite.DB(), master)); diff != "" {
		t.Errorf("the script and the migrations differ (-migrated +script):\n%s", diff)
	}
}

// checkCurrent checks that the updater has nothing to migrate.
func checkCurrent(t *testing.T, s *db.Store) {
	t.Helper()
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
}

func lines(t *testing.T, x *sqlx.DB, query string) []string {
	t.Helper()
	var got []string
	if err := x.SelectContext(t.Context(), &got, query); err != nil {
		t.Fatal(err)
	}
	for i, l := range got {
		got[i] = strings.Join(strings.Fields(l), " ")
	}
	return got
}

// The row types and both schemas name the same columns.
func TestSchema_SameColumns(t *testing.T) {
	t.Parallel()
	lite, pg := dbtest.SQLite(t).DB(), dbtest.Postgres(t).DB()
	for _, table := range []string{
		"clusters", "freshness", "virtual_machines", "nodes", "node_groups", "networks", "jobs", "changes", "permissions",
		"quarantine", "vms", "cluster_status", "cluster_usage",
	} {
		columns := func(x *sqlx.DB) []string {
			rows := must(x.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0"))(t)
			defer rows.Close()
			names := must(rows.Columns())(t)
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return names
		}
		if diff := cmp.Diff(columns(pg), columns(lite)); diff != "" {
			t.Errorf("%s (-postgres +sqlite):\n%s", table, diff)
		}
	}
}
