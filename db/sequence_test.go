package db_test

import (
	"testing"

	"ganeticache/db/dbtest"
)

// Ids of changes are given out before the commit. A transaction that appends waits for the one before it, or a reader
// that follows the ids would pass over those of the slower one.
func TestApply_AppendsInTurn(t *testing.T) {
	t.Parallel()
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	first := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer first.Rollback()
	if _, err := first.ExecContext(t.Context(), "SELECT pg_advisory_xact_lock('changes'::regclass::oid::bigint)"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Apply(t.Context(), snapshot(id, 0, 1, 0))
		done <- err
	}()
	waiting := 0
	for waiting == 0 {
		select {
		case err := <-done:
			t.Fatalf("the second transaction did not wait (error %v)", err)
		default:
		}
		const query = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted"
		if err := s.DB().GetContext(t.Context(), &waiting, query); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
