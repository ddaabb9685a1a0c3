package db_test

import (
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestConformance_SQLite(t *testing.T) {
	t.Parallel()
	dbtest.Conformance(t, dbtest.SQLiteWith)
}

func TestConformance_Postgres(t *testing.T) {
	t.Parallel()
	dbtest.Conformance(t, dbtest.PostgresWith)
}

// A test of the helper itself: each subtest gets a store of its own.
func TestEach(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		t.Helper()
		if got := must(s.Clusters(t.Context()))(t); len(got) != 0 {
			t.Errorf("%d clusters in a new database", len(got))
		}
	})
}

// must returns a function that gives the value or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}
