package db_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func openURL(tb testing.TB, address string) *db.Store {
	tb.Helper()
	s := must(db.Open(tb.Context(), address, db.Options{}))(tb)
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func isSchemaMissing(err error) bool { return errors.Is(err, db.ErrSchemaMissing) }

func TestOpen_Errors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"scheme", "mysql://u:hunter2@h/d", "must begin with sqlite:, postgres:// or postgresql://"},
		{"no path", "sqlite:", "needs the path of a file"},
		{"memory", "sqlite::memory:", "needs the path of a file"},
		{"no directory", "sqlite:" + dir + "/none/cache.db", "the directory " + dir + "/none does not exist"},
		{"directory", "sqlite:" + dir, "is a directory"},
		{"not a database", "sqlite:" + text, "notes.txt is not an SQLite database file"},
		{"below a file", "sqlite:" + text + "/cache.db", "not a directory"},
		{"malformed", "postgres://u:hunter2@h:port/d", "the database URL is malformed"},
		{"bad escape", "postgres://u:%zz@h/d", "the database URL is malformed"},
		{"refused", "postgres://u:hunter2@127.0.0.1:1/d", "connection refused"},
		{"bad sslmode", "postgres://u:hunter2@127.0.0.1:1/d?sslmode=maybe", "sslmode"},
		{"password with escapes", "postgres://u:hunter2%2F%40@127.0.0.1:1/d?connect_timeout=x", "connect_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := db.Open(t.Context(), c.url, db.Options{})
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to contain %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q holds the password", err)
			}
		})
	}
}

func TestOpen_SQLiteFile(t *testing.T) {
	t.Parallel()
	// Characters that mean something in a URI, in a path that is not there yet.
	path := filepath.Join(t.TempDir(), "a b?c#d%20&e=ü.db")
	s := openURL(t, "sqlite:"+path)
	if err := s.CheckSchema(t.Context()); !isSchemaMissing(err) {
		t.Errorf("a new file: %v", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal"} {
		info := must(os.Stat(name))(t)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "page_size": "16384", "foreign_keys": "1", "synchronous": "1", "cache_size": "256",
	} {
		var got string
		if err := s.Writer().GetContext(t.Context(), &got, "PRAGMA "+pragma); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
		}
	}
	if _, err := s.DB().ExecContext(t.Context(), "DELETE FROM clusters"); err == nil {
		t.Error("a read connection can write")
	}
	// The file is there: opening it again finds the schema, by a relative path too.
	again := openURL(t, "sqlite:"+path)
	if err := again.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpen_SQLiteReadOnly(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Log("root may write to any file; the error is that of the operating system")
	}
	path := filepath.Join(t.TempDir(), "cache.db")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	s, err := db.Open(t.Context(), "sqlite:"+path, db.Options{})
	if err == nil {
		if os.Getuid() != 0 {
			t.Error("opened a file that cannot be written")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestOpen_PostgresSession(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	for setting, want := range map[string]string{"timezone": "UTC", "application_name": "ganeti-cache-updater"} {
		var got string
		if err := s.DB().GetContext(t.Context(), &got, "SHOW "+setting); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, want)
		}
	}
}

//nolint:paralleltest // sets the environment
func TestOpen_PostgresTLS(t *testing.T) {
	for _, name := range []string{"PGSSLMODE", "PGHOST", "PGHOSTADDR", "PGSERVICE"} {
		t.Setenv(name, "")
	}
	for _, c := range []struct{ url, env, want string }{
		{"postgres:///d", "", "disable"},
		{"postgres://u@localhost/d", "", "disable"},
		{"postgres://u@127.0.0.1:5433/d", "", "disable"},
		{"postgres://u@[::1]/d", "", "disable"},
		{"postgres:///d?host=/run/postgresql", "", "disable"},
		{"postgres://u@db.example.org/d", "", "verify-full"},
		{"postgres:///d?host=db.example.org", "", "verify-full"},
		{"postgres://localhost/d?hostaddr=192.0.2.1", "", "verify-full"},
		{"postgres://u@10.0.0.1/d", "", "verify-full"},
		{"postgres://u@db.example.org/d?sslmode=require", "", "require"},
		{"postgres://u@localhost/d?sslmode=verify-ca", "", "verify-ca"},
		{"postgres://u@db.example.org/d", "prefer", ""},
		{"postgres:///d?service=cache", "", ""},
	} {
		t.Setenv("PGSSLMODE", c.env)
		u := must(url.Parse(c.url))(t)
		got := must(url.Parse(must(db.PostgresDefaults(u))(t)))(t).Query()
		if got.Get("sslmode") != c.want {
			t.Errorf("%s: sslmode %q, want %q", c.url, got.Get("sslmode"), c.want)
		}
		if got.Get("connect_timeout") != "10" {
			t.Errorf("%s: connect_timeout %q", c.url, got.Get("connect_timeout"))
		}
	}
}

// Replicas start at the same time and all migrate.
func TestMigrate_Race(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresURL(t)
	var wg sync.WaitGroup
	for range 4 {
		s := openURL(t, address)
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkCurrent(t, openURL(t, address))
}

func TestMigrate_NoSuperuser(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresURL(t)
	if !strings.Contains(address, "user=postgres") {
		t.Skip("on the server of TEST_DATABASE_URL nobody told how another role logs in")
	}
	admin := openURL(t, address)
	role := "plain_" + strings.ToLower(t.Name()[len("TestMigrate_"):])
	for _, statement := range []string{"CREATE ROLE " + role + " LOGIN", "GRANT CREATE ON SCHEMA public TO " + role} {
		if _, err := admin.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s := openURL(t, strings.Replace(address, "user=postgres", "user="+role, 1))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster := must(s.SyncClusters(t.Context(), []db.ClusterSettings{{Name: "a", RAPIPort: 5080}}))(t)[0]
	// Enough rows for every way of writing, temporary tables included.
	for generation := range 2 {
		snap := snapshot(cluster.ID, int64(generation), 300, generation)
		if _, err := s.Apply(t.Context(), snap); err != nil {
			t.Fatal(err)
		}
	}
}
