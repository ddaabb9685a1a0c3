package db_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func sqliteFile(t *testing.T, s *db.Store) string {
	t.Helper()
	var path string
	if err := s.DB().GetContext(t.Context(), &path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
		t.Fatal(err)
	}
	return path
}

// A full disk stops what writes and nothing else; with room again the same store goes on.
func TestSQLite_Full(t *testing.T) {
	t.Parallel()
	s := dbtest.SQLite(t)
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 5, 0))
	before := contents(t, s)
	var pages int
	if err := s.Writer().GetContext(t.Context(), &pages, "PRAGMA page_count"); err != nil {
		t.Fatal(err)
	}
	run(t, s, fmt.Sprintf("PRAGMA max_page_count = %d", pages+2))
	for range 3 {
		_, err := s.Apply(t.Context(), snapshot(id, 1, 500, 1))
		if db.TroubleOf(err) != db.TroubleFull {
			t.Errorf("got %v", err)
		}
	}
	if diff := cmp.Diff(before, contents(t, s)); diff != "" {
		t.Error(diff)
	}
	run(t, s, "PRAGMA max_page_count = 1000000")
	checkUsable(t, s, id)
}

// Another process holds the file: named, waited for, and over when it lets go.
func TestSQLite_Locked(t *testing.T) {
	t.Parallel()
	s := dbtest.SQLite(t)
	id := oneCluster(t, s)
	run(t, s, "PRAGMA busy_timeout = 10")
	other := openURL(t, "sqlite:"+sqliteFile(t, s))
	tx := must(other.Writer().BeginTxx(t.Context(), nil))(t)
	defer tx.Rollback()
	if _, err := s.Apply(t.Context(), snapshot(id, 0, 5, 0)); db.TroubleOf(err) != db.TroubleLocked || !strings.Contains(err.Error(), "lsof") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Clusters(t.Context()); err != nil {
		t.Errorf("reading beside a writer: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	checkUsable(t, s, id)
}

func TestSQLite_ReadOnly(t *testing.T) {
	t.Parallel()
	s := dbtest.SQLite(t)
	id := oneCluster(t, s)
	before := contents(t, s)
	run(t, s, "PRAGMA query_only = 1")
	if _, err := s.Apply(t.Context(), snapshot(id, 0, 5, 0)); db.TroubleOf(err) != db.TroubleReadOnly {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, contents(t, s)); diff != "" {
		t.Error(diff)
	}
	run(t, s, "PRAGMA query_only = 0")
	checkUsable(t, s, id)
}

// Pages in the middle of the file are garbage: whatever meets them says so, and nothing is written over them.
func TestSQLite_Corrupt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	s := must(db.Open(t.Context(), "sqlite:"+path, db.Options{}))(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 500, 0))
	if err := s.Close(); err != nil { // which moves the log into the file
		t.Fatal(err)
	}
	whole := must(os.ReadFile(path))(t)
	bad := bytes.Clone(whole)
	for i := len(bad) / 3; i < len(bad); i++ {
		bad[i] = 0xa5
	}
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openURL(t, "sqlite:"+path)
	_, err := s.Apply(t.Context(), snapshot(id, 1, 500, 1))
	if db.TroubleOf(err) != db.TroubleCorrupt || !strings.Contains(err.Error(), "restore a back-up") {
		t.Errorf("writing: %v", err)
	}
	if _, err := s.Fingerprints(t.Context(), id, db.KindVM); db.TroubleOf(err) != db.TroubleCorrupt {
		t.Errorf("reading: %v", err)
	}

	head := filepath.Join(t.TempDir(), "head.db")
	if err := os.WriteFile(head, append([]byte("no database, 1  "), whole[16:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := db.Open(t.Context(), "sqlite:"+head, db.Options{}); db.TroubleOf(err) != db.TroubleCorrupt {
		t.Errorf("opening what is no database: %v", errors.Join(err, s.Close()))
	}

	again := filepath.Join(t.TempDir(), "back-up.db")
	if err := os.WriteFile(again, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	checkUsable(t, openURL(t, "sqlite:"+again), id)
}

// A file or database that a newer program migrated is refused by name, and left alone.
func TestCheckSchema_Newer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		run(t, s, "INSERT INTO ganeti_cache_schema (version_id, is_applied) VALUES (99999, true)")
		for name, err := range map[string]error{"checking": s.CheckSchema(t.Context()), "migrating": s.Migrate(t.Context())} {
			if !errors.Is(err, db.ErrSchemaNewer) || db.TroubleOf(err) != db.TroubleSchema {
				t.Errorf("%s: %v", name, err)
			}
		}
		run(t, s, "DELETE FROM ganeti_cache_schema WHERE version_id = 99999", "DROP TABLE changes")
		if err := s.CheckSchema(t.Context()); err != nil { // the store writes again
			t.Fatal(err)
		}
		id := oneCluster(t, s)
		if _, err := s.Apply(t.Context(), snapshot(id, 0, 3, 0)); db.TroubleOf(err) != db.TroubleSchema {
			t.Errorf("without a table: %v", err)
		}
		if got := must(s.Fingerprints(t.Context(), id, db.KindVM))(t); len(got.Items) != 0 {
			t.Errorf("%d rows of what failed", len(got.Items))
		}
	})
}
