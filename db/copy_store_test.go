package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// notCopied are the tables that a copy leaves out: of the moment, or made by the target itself.
func notCopied() []string {
	return []string{"replicas", "reader_leases", "request_tickets", "ganeti_cache_schema", "vm_terms", "vm_terms_bulk", "sqlite_sequence"}
}

// fillCopied writes something into every table that is copied, with gaps in the ids and NULL where a column allows it.
func fillCopied(t *testing.T, s *db.Store) {
	t.Helper()
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 120, 1))
	apply(t, s, db.Snapshot{
		ClusterID: id, Kind: db.KindVM, StartedAt: time.Now(), Objects: 119, Generation: 1,
		Changed: func(func(db.Item) bool) {}, Missing: []string{bigVM(7, 1).Key},
	})
	infoJSON := `'{"b": [1, "tab\t, quote \\\" and back\\\\slash"], "a": null}'`
	for _, statement := range []string{
		"INSERT INTO clusters (id, name, source, password_sealed, rapi_url, tls_insecure) VALUES (40, 'kept', 'database', 'sealed', 'https://k.example.org', true)",
		"INSERT INTO cluster_former_names (name, cluster_id) VALUES ('before', 40)",
		"INSERT INTO cluster_revision (revision) VALUES (9)",
		"INSERT INTO backfills (name, part, last_id, checked) VALUES ('form 1', 'virtual_machines', 250, 250)",
		"INSERT INTO leases (cluster_id, holder, token) VALUES (40, 'gone', 12)",
		"INSERT INTO permissions (subject, permission, cluster_id) VALUES ('anna', 'owner', 40)",
		"INSERT INTO permissions (subject, permission, vm_id) SELECT 'group:web', 'console', min(id) FROM virtual_machines",
		"INSERT INTO withheld_removals (cluster_id, kind, uuid, name, approved) VALUES (40, 'vm', 'w1', 'withheld', true)",
		"INSERT INTO guard_counts (cluster_id, kind, singles, singles_of, live_before) VALUES (40, 'vm', 3, '2026-01-02 03:04:05.123456', 7)",
		"INSERT INTO quarantine (cluster_id, kind, uuid, name, digest, reason, raw, observed_at) SELECT 40, 'vm', '', 'x', digest, 'why', " +
			infoJSON + ", '2026-03-01 12:00:00.123456+00:00' FROM virtual_machines LIMIT 1",
	} {
		if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, table := range []string{"nodes", "node_groups", "networks", "jobs"} {
		statement := "INSERT INTO " + table + " (cluster_id, uuid, name, info, digest, observed_at) SELECT 40, 'u', 'é\"\\', " +
			infoJSON + ", digest, '2026-03-01 12:00:00.000001+00:00' FROM virtual_machines LIMIT 1"
		if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	// The highest ids were given out and are gone.
	if _, err := s.Writer().ExecContext(t.Context(), "DELETE FROM changes WHERE id > 100"); err != nil {
		t.Fatal(err)
	}
}

// copiedRows returns each copied table's rows in a form that both databases share.
func copiedRows(t *testing.T, s *db.Store, tables []string) map[string][]map[string]any {
	t.Helper()
	all := make(map[string][]map[string]any)
	for _, table := range tables {
		if rows := rowsOf(t, s, table); len(rows) > 0 {
			all[table] = rows
		}
	}
	return all
}

func rowsOf(t *testing.T, s *db.Store, table string) (all []map[string]any) {
	t.Helper()
	rows, err := s.DB().QueryContext(t.Context(), "SELECT * FROM "+table+" ORDER BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row := make(map[string]any)
		if err := sqlx.MapScan(rows, row); err != nil {
			t.Fatal(err)
		}
		for name, v := range row {
			row[name] = plain(t, v)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// plain makes a driver's value comparable: JSON and lists are decoded.
func plain(t *testing.T, v any) any {
	t.Helper()
	text, ok := v.(string)
	switch x := v.(type) {
	case bool: // SQLite has integers
		if x {
			return int64(1)
		}
		return int64(0)
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case []byte:
		text, ok = string(x), true
	}
	if !ok {
		return v
	}
	if text == "{}" || text == "[]" { // the empty list; no JSON column of these rows is an empty object
		return []any{}
	}
	var decoded any
	if json.Unmarshal([]byte(text), &decoded) == nil {
		return decoded
	}
	var list db.List
	if !strings.HasPrefix(text, "{") || list.Scan(text) != nil {
		return text
	}
	elements := make([]any, len(list))
	for i, e := range list {
		if e != "" {
			elements[i] = e
		}
	}
	return elements
}

// tablesOf returns the tables that must be copied, as the database lists them.
func tablesOf(t *testing.T, s *db.Store) []string {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.Dialect() == "postgres" {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	var names, copied []string
	if err := s.DB().SelectContext(t.Context(), &names, query); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(" "+strings.Join(notCopied(), " ")+" ", " "+name+" ") {
			copied = append(copied, name)
		}
	}
	return copied
}

func TestCopyTo_RoundTrip(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, first *db.Store) {
		t.Helper()
		fillCopied(t, first)
		tables := tablesOf(t, first)
		want := copiedRows(t, first, tables)
		from := first
		for i, to := range []*db.Store{dbtest.Postgres(t), dbtest.SQLite(t), dbtest.SQLite(t), dbtest.Postgres(t), dbtest.Postgres(t)} {
			step := fmt.Sprintf("step %d, %s to %s", i+1, from.Dialect(), to.Dialect())
			copied := must(from.CopyTo(t.Context(), to))(t)
			got := copiedRows(t, to, tables)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", step, diff)
			}
			counts := make(map[string]int64)
			for _, c := range copied {
				counts[c.Table] = c.Rows
			}
			for _, table := range tables {
				if counts[table] == 0 || counts[table] != int64(len(want[table])) {
					t.Errorf("%s: %d rows of %s copied of %d; the test wants some in each table", step, counts[table], table, len(want[table]))
				}
			}
			from = to
		}
		checkGoesOn(t, from, want)
	})
}

// checkGoesOn says that the copy takes the next snapshot as the source would have, and gives out new ids only.
func checkGoesOn(t *testing.T, s *db.Store, want map[string][]map[string]any) {
	t.Helper()
	id := must(s.Clusters(t.Context()))(t)[0].ID
	apply(t, s, snapshot(id, 2, 121, 2))
	var next, highest int64
	if err := s.DB().GetContext(t.Context(), &next, "SELECT min(id) FROM changes WHERE id > 100"); err != nil {
		t.Fatal(err)
	}
	if err := s.DB().GetContext(t.Context(), &highest, "SELECT max(id) FROM virtual_machines"); err != nil {
		t.Fatal(err)
	}
	if next != 122 { // 120 created, one removed
		t.Errorf("the first new change has id %d, want 122: the one behind the last that was given out", next)
	}
	if int(highest) <= len(want["virtual_machines"]) {
		t.Errorf("the new VM has id %d, which another had", highest)
	}
}

// What lists are searched by is SQLite's own; a copy must have it.
func TestCopyTo_Searchable(t *testing.T) {
	t.Parallel()
	from, to := dbtest.Postgres(t), dbtest.SQLite(t)
	fillCopied(t, from)
	must(from.CopyTo(t.Context(), to))(t)
	var terms int
	if err := to.DB().GetContext(t.Context(), &terms, "SELECT count(*) FROM vm_terms WHERE kind = 'tag' AND value = 'env:prod'"); err != nil {
		t.Fatal(err)
	}
	if terms != 120 {
		t.Errorf("%d VMs found by their tag, want 120", terms)
	}
}

func TestCopyTo_Refuses(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, from *db.Store) {
		t.Helper()
		fillCopied(t, from)
		used := dbtest.SQLite(t)
		oneCluster(t, used)
		if _, err := from.CopyTo(t.Context(), used); !errors.Is(err, db.ErrNotEmpty) {
			t.Errorf("into rows: %v", err)
		}
		busy := dbtest.Postgres(t)
		must(busy.Writer().ExecContext(t.Context(),
			"INSERT INTO replicas VALUES ('r', 'h1', 1, now(), now() + interval '20 seconds')"))(t)
		if _, err := from.CopyTo(t.Context(), busy); !errors.Is(err, db.ErrRefreshed) {
			t.Errorf("into a database of a living updater: %v", err)
		}
		if _, err := busy.CopyTo(t.Context(), dbtest.SQLite(t)); !errors.Is(err, db.ErrRefreshed) {
			t.Errorf("from a database of a living updater: %v", err)
		}
		must(busy.Writer().ExecContext(t.Context(), "UPDATE replicas SET expires_at = now() - interval '1 second'"))(t)
		must(from.CopyTo(t.Context(), busy))(t)
	})
}

// Something ends the copy just before the last table: nothing stays in the target.
func TestCopyTo_AllOrNothing(t *testing.T) {
	t.Parallel()
	for name, stores := range map[string][2]func(testing.TB) *db.Store{
		"to postgres": {dbtest.SQLite, dbtest.Postgres}, "to sqlite": {dbtest.Postgres, dbtest.SQLite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := stores[0](t), stores[1](t)
			fillCopied(t, from)
			blocker, mode := to, "EXCLUSIVE"
			if to.Dialect() == "sqlite" {
				blocker, mode = from, "ACCESS EXCLUSIVE"
			}
			empty := copiedRows(t, to, tablesOf(t, to))
			lock := must(blocker.Writer().BeginTxx(t.Context(), nil))(t)
			defer lock.Rollback()
			must(lock.ExecContext(t.Context(), "LOCK TABLE quarantine IN "+mode+" MODE"))(t)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := from.CopyTo(ctx, to)
				done <- err
			}()
			waitForLock(t, blocker)
			cancel()
			if err := <-done; err == nil {
				t.Error("the copy ended well though it was cancelled")
			}
			if err := lock.Rollback(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(empty, copiedRows(t, to, tablesOf(t, to))); diff != "" {
				t.Errorf("something stayed (-before +after):\n%s", diff)
			}
			must(from.CopyTo(t.Context(), to))(t)
		})
	}
}
