// Package dbtest gives tests a database of their own, PostgreSQL or SQLite, and holds the suite of behaviours that both
// must show ([Conformance]).
//
// The first test that asks for PostgreSQL starts a private server from the installed programs; TEST_DATABASE_URL names a
// server to use instead. Where there is neither, the test fails and says what to install: it is never skipped. Each test
// gets its own database, so tests and packages may run in parallel. Only tests import this package.
package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // the driver that makes and drops databases

	"ganeticache/db"
)

// PostgresURL returns the URL of a new, empty PostgreSQL database, dropped when the test ends.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	return postgres(tb).database(tb, "")
}

// Postgres returns a migrated store on a new PostgreSQL database.
func Postgres(tb testing.TB) *db.Store {
	tb.Helper()
	return PostgresWith(tb, db.Options{})
}

// PostgresWith is Postgres with options.
func PostgresWith(tb testing.TB, o db.Options) *db.Store {
	tb.Helper()
	s := postgres(tb)
	store := open(tb, s.database(tb, s.template), o)
	if s.template == "" {
		migrate(tb, store)
	}
	return store
}

// SQLite returns a migrated store on a new file.
func SQLite(tb testing.TB) *db.Store {
	tb.Helper()
	return SQLiteWith(tb, db.Options{})
}

// SQLiteWith is SQLite with options.
func SQLiteWith(tb testing.TB, o db.Options) *db.Store {
	tb.Helper()
	store := open(tb, "sqlite:"+filepath.Join(tb.TempDir(), "cache.db"), o)
	migrate(tb, store)
	return store
}

// Each runs a test once per database, as a subtest with its name.
func Each(t *testing.T, test func(t *testing.T, s *db.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

func open(tb testing.TB, url string, o db.Options) *db.Store {
	tb.Helper()
	store, err := db.Open(tb.Context(), url, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return store
}

func migrate(tb testing.TB, store *db.Store) {
	tb.Helper()
	if err := store.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// database makes a database, as a copy of template if that is not "".
func (s *server) database(tb testing.TB, template string) string {
	tb.Helper()
	s.mu.Lock()
	s.next++
	name := fmt.Sprintf("dbtest_%d_%d", os.Getpid(), s.next)
	s.mu.Unlock()
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	if err := s.exec(tb.Context(), statement); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The test's context is cancelled by now.
		if err := s.exec(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return databaseURL(s.url, name)
}

// exec runs a statement on the server, on a connection of its own.
func (s *server) exec(ctx context.Context, statement string) error {
	conn, err := sqlx.ConnectContext(ctx, "postgres", s.url)
	if err != nil {
		return fmt.Errorf("connecting to the test server: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("running %q: %w", statement, err)
	}
	return nil
}

// databaseURL names another database of the same server.
func databaseURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(fmt.Sprintf("TEST_DATABASE_URL: %v", strings.ReplaceAll(err.Error(), server, "malformed")))
	}
	u.Path = "/" + name
	return u.String()
}
