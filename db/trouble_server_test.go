package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func run(t *testing.T, s *db.Store, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// raise makes PostgreSQL refuse the rows of virtual_machines from the first-th to the last-th that are written, with a code.
// It counts those of transactions that were undone too.
func raise(t *testing.T, s *db.Store, code string, first, last int) {
	t.Helper()
	run(t, s, "CREATE SEQUENCE counted", fmt.Sprintf(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('counted');
BEGIN
	IF n BETWEEN %d AND %d THEN RAISE EXCEPTION 'the test says so' USING ERRCODE = '%s'; END IF;
	RETURN NEW;
END $$`, first, last, code), "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON virtual_machines FOR EACH ROW EXECUTE FUNCTION refuse()")
}

func relent(t *testing.T, s *db.Store) {
	t.Helper()
	run(t, s, "DROP TRIGGER refuse ON virtual_machines", "DROP FUNCTION refuse", "DROP SEQUENCE counted")
}

// Whatever the server refuses in the middle of a snapshot, nothing of it stays, and the same store goes on afterwards.
func TestApply_Refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code string
		want db.Trouble
	}{
		{"53100", db.TroubleFull},
		{"53200", db.TroubleMemory},
		{"25006", db.TroubleReadOnly},
		{"42501", db.TroublePermission},
		{"55P03", db.TroubleLocked},
		{"40001", db.TroubleConflict},
		{"40P01", db.TroubleConflict},
		{"XX001", db.TroubleCorrupt},
		{"57P01", db.TroubleUnavailable},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			s := dbtest.Postgres(t)
			id := oneCluster(t, s)
			for _, n := range []int{0, 3, 300} { // straight COPY, then by arrays, then in several statements
				generation := must(s.Fingerprints(t.Context(), id, db.KindVM))(t).Generation
				before := contents(t, s)
				raise(t, s, c.code, n/2+1, 1_000_000)
				_, err := s.Apply(t.Context(), snapshot(id, generation, max(n, 200), n+1))
				relent(t, s)
				if got := db.TroubleOf(err); got != c.want || !strings.Contains(err.Error(), "the test says so") {
					t.Errorf("%d rows: %q: %v", n, got, err)
				}
				if diff := cmp.Diff(before, contents(t, s)); diff != "" {
					t.Errorf("%d rows: something was written (-before +after):\n%s", n, diff)
				}
				checkUsable(t, s, id)
			}
		})
	}
}

// A deadlock and a lost serialization are over with the next try.
func TestApply_Retried(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01", "25006"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := dbtest.Postgres(t)
			id := oneCluster(t, s)
			raise(t, s, code, 1, 2)
			tries := 0
			snap := snapshot(id, 0, 5, 0)
			whole := snap.Changed
			snap.Changed = func(yield func(db.Item) bool) { tries++; whole(yield) }
			if out := apply(t, s, snap); out.Created != 5 || tries != 3 {
				t.Errorf("%d tries: %+v", tries, out)
			}
		})
	}
}

// Two transactions that wait for each other: the server ends one, which is tried again.
func TestApply_Deadlock(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 2, 0))
	other := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "SET LOCAL deadlock_timeout = '60s'; UPDATE virtual_machines SET name = name"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	tries := 0
	snap := snapshot(id, 1, 2, 1)
	whole := snap.Changed
	snap.Changed = func(yield func(db.Item) bool) {
		if tries++; tries == 1 {
			// Apply holds the freshness row by now and comes to the rows of the VMs that the other holds.
			go func() {
				_, err := other.ExecContext(context.WithoutCancel(t.Context()), "UPDATE freshness SET bytes = bytes WHERE kind = 'vm'")
				done <- errors.Join(err, other.Rollback())
			}()
		}
		whole(yield)
	}
	if out := apply(t, s, snap); out.Updated != 2 || tries != 2 {
		t.Errorf("%d tries: %+v", tries, out)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A lock that is not given in time is not waited for again.
func TestApply_LockTimeout(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresURL(t)
	admin := openURL(t, address)
	if err := admin.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var name string
	if err := admin.DB().GetContext(t.Context(), &name, "SELECT current_database()"); err != nil {
		t.Fatal(err)
	}
	run(t, admin, "ALTER DATABASE "+name+" SET lock_timeout = '200ms'")
	s := openURL(t, address)
	id := oneCluster(t, s)
	apply(t, s, snapshot(id, 0, 3, 0))
	before := contents(t, s)
	other := must(admin.Writer().BeginTxx(t.Context(), nil))(t)
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "LOCK TABLE changes"); err != nil {
		t.Fatal(err)
	}
	tries := 0
	snap := snapshot(id, 1, 3, 1)
	whole := snap.Changed
	snap.Changed = func(yield func(db.Item) bool) { tries++; whole(yield) }
	_, err := s.Apply(t.Context(), snap)
	if db.TroubleOf(err) != db.TroubleLocked || tries != 1 {
		t.Errorf("%d tries: %v", tries, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, s)); diff != "" {
		t.Error(diff)
	}
	checkUsable(t, s, id)
}

// Without the operator's own settings a transaction has ours.
func TestApply_Limits(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	run(t, s, `CREATE TABLE seen (lock_limit text, idle_limit text, plans text)`,
		`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),
		current_setting('plan_cache_mode'));
	RETURN NULL;
END $$`, "CREATE TRIGGER look AFTER INSERT ON virtual_machines EXECUTE FUNCTION look()")
	apply(t, s, snapshot(id, 0, 3, 0))
	var seen, after string
	if err := s.DB().GetContext(t.Context(), &seen, "SELECT concat_ws(' ', lock_limit, idle_limit, plans) FROM seen"); err != nil || seen != "30s 30s force_generic_plan" {
		t.Errorf("in a transaction: %q, %v", seen, err)
	}
	if err := s.DB().GetContext(t.Context(), &after, "SHOW lock_timeout"); err != nil || after != "0" {
		t.Errorf("after it: %q, %v", after, err)
	}
}

func TestApply_Permission(t *testing.T) {
	t.Parallel()
	owner := dbtest.OwnServer(t)
	admin := owner.Open(db.Options{})
	id := oneCluster(t, admin)
	run(t, admin, "CREATE ROLE weak LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak")
	weak := openURL(t, strings.Replace(owner.URL, "user=postgres", "user=weak", 1))
	before := contents(t, admin)
	_, err := weak.Apply(t.Context(), snapshot(id, 0, 3, 0))
	if db.TroubleOf(err) != db.TroublePermission {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, contents(t, admin)); diff != "" {
		t.Error(diff)
	}
	run(t, admin, "GRANT ALL ON ALL TABLES IN SCHEMA public TO weak", "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO weak")
	checkUsable(t, weak, id)

	run(t, admin, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM weak")
	if _, err := weak.Clusters(t.Context()); db.TroubleOf(err) != db.TroublePermission {
		t.Errorf("reading: %v", err)
	}
	run(t, admin, "ALTER TABLE clusters RENAME TO gone")
	if _, err := admin.Clusters(t.Context()); db.TroubleOf(err) != db.TroubleSchema {
		t.Errorf("without the table: %v", err)
	}
}

// The end of a caller's patience is no trouble of the database; its deadline is.
func TestStore_ContextEnds(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	for _, c := range []struct {
		cause error
		want  db.Trouble
	}{{context.Canceled, db.TroubleNone}, {context.DeadlineExceeded, db.TroubleUnavailable}} {
		lock := must(s.Writer().BeginTxx(t.Context(), nil))(t)
		if _, err := lock.ExecContext(t.Context(), "LOCK TABLE freshness"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if c.cause == context.DeadlineExceeded { //nolint:errorlint // the table's own value
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		} else {
			go func() { waitForLock(t, s); cancel() }()
		}
		_, err := s.Apply(ctx, snapshot(id, 0, 3, 0))
		if !errors.Is(err, c.cause) || db.TroubleOf(err) != c.want {
			t.Errorf("%v: %q: %v", c.cause, db.TroubleOf(err), err)
		}
		cancel()
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	checkUsable(t, s, id)
}

// sessionWaits asks whether some session of the database waits for a lock.
const sessionWaits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

// waitForLock returns when some session of the database waits for a lock.
func waitForLock(t *testing.T, s *db.Store) {
	t.Helper()
	for waits := false; !waits; {
		if err := s.Writer().GetContext(t.Context(), &waits, sessionWaits); err != nil {
			t.Error(err)
			return
		}
	}
}
