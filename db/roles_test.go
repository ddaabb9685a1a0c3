package db_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// roles are the three of deploy/postgresql, under names of their own: roles belong to the whole server, which other tests
// share.
type roles struct {
	prefix string
	// mu: two sessions that change one role at the same time disturb each other.
	mu sync.Mutex
	// admin is a session of the superuser in a database of its own; made counts the copies of databases.
	admin *sqlx.DB
	made  int
}

func newRoles(t *testing.T) *roles {
	t.Helper()
	r := &roles{prefix: fmt.Sprintf("roles_%d_%s_", os.Getpid(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_")))}
	r.admin = must(sqlx.ConnectContext(t.Context(), "postgres", dbtest.PostgresURL(t)))(t)
	t.Cleanup(func() {
		for _, name := range []string{"owner", "updater", "reader"} {
			if _, err := r.admin.ExecContext(context.WithoutCancel(t.Context()), "DROP ROLE IF EXISTS "+r.prefix+name); err != nil {
				t.Error(err)
			}
		}
		r.admin.Close()
	})
	return r
}

// run runs one of the files, as psql would.
func (r *roles) run(tb testing.TB, admin *sqlx.DB, file string) {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.NewReplacer("ganeti_owner", r.prefix+"owner", "ganeti_updater", r.prefix+"updater", "ganeti_reader", r.prefix+"reader").
		Replace(string(must(os.ReadFile("../deploy/postgresql/" + file + ".sql"))(tb)))
	text += "ALTER ROLE " + r.prefix + file + " PASSWORD 'roles'"
	if _, err := admin.ExecContext(tb.Context(), text); err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
}

// database makes a database as the comments of the files say, and returns its address for the superuser.
func (r *roles) database(tb testing.TB) string {
	tb.Helper()
	address := dbtest.PostgresURL(tb)
	admin := must(sqlx.ConnectContext(tb.Context(), "postgres", address))(tb)
	defer admin.Close() // nobody may be connected to a database that is copied
	r.run(tb, admin, "owner")
	owner := must(db.Open(tb.Context(), r.as(tb, address, "owner"), db.Options{}))(tb)
	if err := errors.Join(owner.Migrate(tb.Context()), owner.Close()); err != nil {
		tb.Fatal(err)
	}
	r.run(tb, admin, "updater")
	r.run(tb, admin, "reader")
	return address
}

// copyOf makes a copy of such a database, which is faster. What was granted on the database itself is no part of the copy.
func (r *roles) copyOf(tb testing.TB, address string) string {
	tb.Helper()
	u := must(url.Parse(address))(tb)
	r.mu.Lock()
	r.made++
	name := fmt.Sprintf("%scopy_%d", r.prefix, r.made)
	r.admin.MustExec("CREATE DATABASE " + name + " TEMPLATE " + strings.TrimPrefix(u.Path, "/"))
	r.mu.Unlock()
	tb.Cleanup(func() { r.admin.MustExec("DROP DATABASE " + name + " WITH (FORCE)") })
	u.Path = "/" + name
	admin := r.connect(tb, u.String(), "")
	r.run(tb, admin, "owner")
	r.run(tb, admin, "updater")
	return u.String()
}

// as is the address for a role.
func (r *roles) as(tb testing.TB, address, role string) string {
	tb.Helper()
	u := must(url.Parse(address))(tb)
	q := u.Query()
	q.Set("user", r.prefix+role)
	q.Set("password", "roles")
	u.User, u.RawQuery = nil, q.Encode()
	return u.String()
}

// connect opens the database for a role, "" for the superuser.
func (r *roles) connect(tb testing.TB, address, role string) *sqlx.DB {
	tb.Helper()
	if role != "" {
		address = r.as(tb, address, role)
	}
	pool := must(sqlx.ConnectContext(tb.Context(), "postgres", address))(tb)
	tb.Cleanup(func() { pool.Close() })
	return pool
}

// store opens the database as the updater does, with the role that is meant for it.
func (r *roles) store(tb testing.TB, address string, o db.Options) *db.Store {
	tb.Helper()
	s := must(db.Open(tb.Context(), r.as(tb, address, "updater"), o))(tb)
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// TestRoles_UpdaterDoesEverything: all that a store must do, done by the role that may do least.
func TestRoles_UpdaterDoesEverything(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	dbtest.Conformance(t, func(tb testing.TB, o db.Options) *db.Store {
		tb.Helper()
		one := r.copyOf(tb, address)
		// The suite plays a newer program by hand.
		r.connect(tb, one, "").MustExec("GRANT INSERT, DELETE ON ganeti_cache_schema TO " + r.prefix + "updater")
		return r.store(tb, one, o)
	})
}

// refused says which of the statements the role is not kept from.
func refused(t *testing.T, pool *sqlx.DB, statements ...string) {
	t.Helper()
	conn := must(pool.Connx(t.Context()))(t)
	defer conn.Close()
	// The reader's transactions are read-only by its own setting, which it may change, so it does.
	must(conn.ExecContext(t.Context(), "SET default_transaction_read_only = off"))(t)
	for _, statement := range statements {
		_, err := conn.ExecContext(t.Context(), statement)
		if pq.As(err, pqerror.InsufficientPrivilege) == nil {
			t.Errorf("%s: got %v, want that it is not permitted", statement, err)
		}
	}
}

func TestRoles_UpdaterChangesNoTable(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	refused(t, r.connect(t, address, "updater"),
		"CREATE TABLE mine (id INT)", "CREATE SCHEMA mine", "CREATE ROLE mine", "CREATE DATABASE mine", "CREATE VIEW mine AS SELECT 1",
		"DROP TABLE permissions", "DROP VIEW vms", "ALTER TABLE permissions ADD COLUMN mine INT", "ALTER TABLE permissions DROP COLUMN subject",
		"TRUNCATE permissions", "CREATE INDEX ON permissions (subject)",
		"UPDATE ganeti_cache_schema SET version_id = 99", "DELETE FROM ganeti_cache_schema",
		"INSERT INTO ganeti_cache_schema (version_id, is_applied) VALUES (99, true)",
		"ALTER ROLE "+r.prefix+"updater SUPERUSER", "SET ROLE "+r.prefix+"owner", "SELECT pg_read_file('/etc/passwd')",
		"COPY virtual_machines FROM PROGRAM 'id'",
	)
	if err := r.store(t, address, db.Options{}).CheckSchema(t.Context()); err != nil {
		t.Errorf("the updater cannot tell that the schema is current: %v", err)
	}

	empty := dbtest.PostgresURL(t)
	r.run(t, r.connect(t, empty, ""), "owner")
	r.connect(t, empty, "").MustExec("GRANT CONNECT ON DATABASE " + databaseOf(t, r.connect(t, empty, "")) + " TO " + r.prefix + "updater")
	if err := r.store(t, empty, db.Options{}).Migrate(t.Context()); err == nil {
		t.Error("the updater makes a schema")
	}
}

func databaseOf(t *testing.T, pool *sqlx.DB) string {
	t.Helper()
	var name string
	if err := pool.GetContext(t.Context(), &name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestRoles_ReaderReadsWhatIsDocumented: every query of docs/sql.md, by the role that its readers have.
func TestRoles_ReaderReadsWhatIsDocumented(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	docsFixture(t, r.store(t, address, db.Options{}))
	reader := r.connect(t, address, "reader")
	for _, block := range docsBlocks(t, "postgres") {
		if strings.HasPrefix(block, "SELECT") && countRows(t, reader, block) == 0 {
			t.Errorf("nothing was found by\n%s", block)
		}
	}
	for _, view := range []string{"vms", "cluster_status", "cluster_usage"} {
		if countRows(t, reader, "SELECT * FROM "+view) == 0 {
			t.Errorf("%s is empty", view)
		}
	}
	if _, err := reader.ExecContext(t.Context(), "LISTEN ganeti_cache"); err != nil {
		t.Error(err)
	}
}

// TestRoles_ReaderReadsNoSecretAndWritesNothing also looks at tables that this test has never heard of.
func TestRoles_ReaderReadsNoSecretAndWritesNothing(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	admin, reader := r.connect(t, address, ""), r.connect(t, address, "reader")
	refused(t, reader,
		"SELECT * FROM clusters", "SELECT password_sealed FROM clusters", "SELECT password_file FROM clusters", "SELECT * FROM cluster_revision",
		"DELETE FROM permissions", "UPDATE virtual_machines SET name = 'x'", "INSERT INTO changes DEFAULT VALUES", "TRUNCATE jobs",
		"CREATE TEMPORARY TABLE mine (id INT)", "CREATE TABLE mine (id INT)", "SET ROLE "+r.prefix+"updater", "SELECT pg_read_file('/etc/passwd')",
	)
	var tables []string
	if err := admin.SelectContext(t.Context(), &tables, `SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'p') ORDER BY 1`); err != nil || len(tables) < 15 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	var deletable []string
	if err := admin.SelectContext(t.Context(), &deletable, `SELECT relname FROM pg_class WHERE relname = ANY($1)
		AND has_table_privilege($2, oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`, pq.Array(tables), r.prefix+"reader"); err != nil || len(deletable) > 0 {
		t.Errorf("the reader may write %v (%v)", deletable, err)
	}
	var writable []string
	const query = `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'p')
		AND (has_column_privilege($1, c.oid, a.attnum, 'INSERT') OR has_column_privilege($1, c.oid, a.attnum, 'UPDATE'))`
	if err := admin.SelectContext(t.Context(), &writable, query, r.prefix+"reader"); err != nil || len(writable) > 0 {
		t.Errorf("the reader may write %v (%v)", writable, err)
	}
	var secret []string
	const readable = `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped AND a.attname ~ 'passw|secret|seal|token|key'
		AND c.relkind IN ('r', 'v', 'p') AND has_column_privilege($1, c.oid, a.attnum, 'SELECT')`
	if err := admin.SelectContext(t.Context(), &secret, readable, r.prefix+"reader"); err != nil {
		t.Error(err)
	}
	for _, column := range secret {
		if column != "freshness.lease_token" { // a number that grows, and no secret
			t.Errorf("the reader may read %s", column)
		}
	}
}

// TestRoles_LaterTables: a table of a later migration is the updater's at once and the reader's only when it is granted; what
// was granted in a hurry goes when the file is run again.
func TestRoles_LaterTables(t *testing.T) {
	t.Parallel()
	r := newRoles(t)
	address := r.database(t)
	admin := r.connect(t, address, "")
	r.connect(t, address, "owner").MustExec("CREATE TABLE later (id BIGINT GENERATED BY DEFAULT AS IDENTITY, secret TEXT)")
	updater, reader := r.connect(t, address, "updater"), r.connect(t, address, "reader")
	if _, err := updater.ExecContext(t.Context(), "INSERT INTO later (secret) VALUES ('x'); UPDATE later SET secret = 'y'; DELETE FROM later"); err != nil {
		t.Error(err)
	}
	refused(t, reader, "SELECT * FROM later")
	admin.MustExec("GRANT SELECT ON clusters, later TO " + r.prefix + "reader")
	for range 2 {
		for _, file := range []string{"owner", "updater", "reader"} {
			r.run(t, admin, file)
		}
	}
	refused(t, reader, "SELECT * FROM later", "SELECT * FROM clusters")
	if n := countRows(t, reader, "SELECT id, name FROM clusters"); n != 0 {
		t.Errorf("%d clusters", n)
	}
}
