package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// A reader that takes its time holds up a migration, and the migration holds up nobody else: whoever comes later would wait
// behind it until the first one is through.
func TestMigrate_LetsReadersPass(t *testing.T) {
	t.Parallel()
	// 0003 renames a table, which takes a lock that no reader goes with.
	s := openURL(t, dbtest.PostgresURL(t))
	if err := s.MigrateTo(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	tables := []string{
		"clusters", "freshness", "virtual_machines", "nodes", "node_groups", "networks", "jobs", "changes", "permissions", "quarantine", "leases",
	}
	slow, err := s.DB().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if _, err := slow.ExecContext(t.Context(), "SELECT FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	migrated := make(chan error, 1)
	go func() { migrated <- s.Migrate(t.Context()) }()
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		for _, table := range tables {
			func() {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if _, err := s.DB().ExecContext(ctx, "SELECT FROM "+table); err != nil {
					t.Fatalf("reading %s while the schema is migrated: %v", table, err)
				}
			}()
		}
		select {
		case err := <-migrated:
			t.Fatalf("the migration did not wait for the reader: %v", err)
		default:
		}
	}
	if err := slow.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-migrated; err != nil {
		t.Fatal(err)
	}
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a migration was doing outside of a transaction when it was broken off is done again.
func TestMigrate_AgainAfterInterruption(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]string{
		"the new index is not whole":  "CREATE INDEX virtual_machines_lists_next ON virtual_machines (os)",
		"the old index is gone":       "DROP INDEX virtual_machines_lists",
		"only the version is missing": "DELETE FROM ganeti_cache_schema WHERE version_id >= 6",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openURL(t, dbtest.PostgresURL(t))
			version := int64(5)
			if strings.Contains(left, "version_id") {
				version = 6
			}
			if err := s.MigrateTo(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Writer().ExecContext(t.Context(), left); err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			var names string
			const query = "SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ') FROM pg_index WHERE indexrelid::regclass::text LIKE '%lists%'"
			if err := s.DB().GetContext(t.Context(), &names, query); err != nil {
				t.Fatal(err)
			}
			if want := "virtual_machines_lists true"; names != want {
				t.Errorf("the indexes are %q, want %q", names, want)
			}
		})
	}
}

// locking finds what keeps readers or writers out of a big table for as long as it takes.
var locking = []*regexp.Regexp{
	regexp.MustCompile(`(?i)ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\b`),
	regexp.MustCompile(`(?i)ALTER\s+COLUMN\s+\w+\s+SET\s+NOT\s+NULL`),
	regexp.MustCompile(`(?i)\b(VACUUM\s+FULL|CLUSTER\s+\w+\s+USING|REINDEX\s+TABLE\s+\w)`),
	regexp.MustCompile(`(?i)ADD\s+COLUMN[^;,]*DEFAULT\s+(gen_random_uuid|clock_timestamp|random)\b`),
	regexp.MustCompile(`(?i)GENERATED\s+ALWAYS\s+AS\s*\([^;]*STORED`),
	regexp.MustCompile(`(?i)(UPDATE|DELETE\s+FROM)\s+(virtual_machines|nodes|changes|jobs|quarantine)\b`),
}

// Migrations of a database in use: what takes long locks nobody out.
func TestMigrations_LockNobodyOut(t *testing.T) {
	t.Parallel()
	s := openURL(t, dbtest.PostgresURL(t))
	index := regexp.MustCompile(`(?im)^\s*(CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+(CONCURRENTLY)?[^;]*?(?:ON\s+(?:ONLY\s+)?(\w+))?[^;]*;`)
	comment := regexp.MustCompile(`(?m)--.*$`)
	for _, name := range must(s.MigrationNames())(t) {
		text := must(s.Migration(name))(t)
		if name < "0006" { // of before the first release
			continue
		}
		inTx := !strings.Contains(text, "+goose NO TRANSACTION")
		if inTx != strings.Contains(text, "SET LOCAL lock_timeout") {
			t.Errorf("%s: runs in a transaction: %v, and has not the limit that belongs to that", name, inTx)
		}
		text = comment.ReplaceAllString(text, "")
		for _, m := range index.FindAllStringSubmatch(text, -1) {
			fresh := m[3] != "" && regexp.MustCompile(`(?i)CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?`+m[3]+`\b`).MatchString(text)
			if m[2] == "" && !fresh && inTx {
				t.Errorf("%s: say CONCURRENTLY, in a file with NO TRANSACTION: %s", name, strings.TrimSpace(m[0]))
			}
		}
		for _, re := range locking {
			if m := re.FindString(text); m != "" {
				t.Errorf("%s: %q locks a table for as long as it takes", name, m)
			}
		}
	}
}

// A database that cannot store every letter is refused before there is anything in it.
func TestMigrate_RefusesEncodings(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII", "WIN1252", "EUC_JP"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			s := openURL(t, encodedDatabase(t, encoding))
			for what, err := range map[string]error{"migrating": s.Migrate(t.Context()), "looking": s.CheckEncoding(t.Context())} {
				if !errors.Is(err, db.ErrEncoding) || !strings.Contains(err.Error(), encoding) || !strings.Contains(err.Error(), "createdb") {
					t.Errorf("%s: %v, want an error that names the encoding and the command", what, err)
				}
			}
			if err := s.CheckSchema(t.Context()); !isSchemaMissing(err) {
				t.Errorf("something was made: %v", err)
			}
		})
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		if err := s.CheckEncoding(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// One that has rows is brought up to date, so that they can be copied, and refused all the same.
func TestMigrate_LeavesTheWayOut(t *testing.T) {
	t.Parallel()
	s := openURL(t, encodedDatabase(t, "LATIN1"))
	if err := s.MigrateTo(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); !errors.Is(err, db.ErrEncoding) {
		t.Errorf("migrating: %v", err)
	}
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Errorf("the schema is not this program's: %v", err)
	}
	if _, err := s.CopyTo(t.Context(), dbtest.Postgres(t)); err != nil {
		t.Errorf("copying: %v", err)
	}
}

// encodedDatabase makes an empty database beside that of the tests.
func encodedDatabase(t *testing.T, encoding string) string {
	t.Helper()
	beside := dbtest.PostgresURL(t)
	name := fmt.Sprintf("encoded_%s_%d", strings.ToLower(encoding), time.Now().UnixNano())
	s := openURL(t, beside)
	const create = "CREATE DATABASE %s TEMPLATE template0 ENCODING '%s' LC_COLLATE 'C' LC_CTYPE 'C'"
	if _, err := s.Writer().ExecContext(t.Context(), fmt.Sprintf(create, name, encoding)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s, err := db.Open(context.Background(), beside, db.Options{})
		if err == nil {
			_, err = s.Writer().ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
			err = errors.Join(err, s.Close())
		}
		if err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(beside)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
