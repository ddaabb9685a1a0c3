package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// busy returns an error that SQLite gives when another connection is writing.
func busy(t *testing.T, s *db.Store) error {
	t.Helper()
	var path string
	if err := s.DB().GetContext(t.Context(), &path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
		t.Fatal(err)
	}
	tx := must(s.Writer().BeginTxx(t.Context(), nil))(t)
	defer tx.Rollback()
	other := openURL(t, "sqlite:"+path)
	if _, err := other.Writer().ExecContext(t.Context(), "PRAGMA busy_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	_, err := other.Writer().BeginTxx(t.Context(), nil)
	if err == nil {
		t.Fatal("two writers at once")
	}
	return err
}

func TestStore_Retry(t *testing.T) {
	t.Parallel()
	lite, pg := dbtest.SQLite(t), dbtest.Postgres(t)
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		store *db.Store
		err   error
		want  int
	}{
		{"serialization failure", pg, &pq.Error{Code: pqerror.TRSerializationFailure}, db.MaxTries},
		{"deadlock", pg, &pq.Error{Code: pqerror.TRDeadlockDetected}, db.MaxTries},
		{"unique violation", pg, &pq.Error{Code: pqerror.UniqueViolation}, 1},
		{"busy", lite, busy(t, lite), db.MaxTries},
		{"anything else", lite, broken, 1},
		{"conflict", pg, db.ErrConflict, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			err := c.store.Retry(t.Context(), func() error {
				tries++
				return fmt.Errorf("writing: %w", c.err)
			})
			if tries != c.want || !errors.Is(err, c.err) {
				t.Errorf("%d tries, error %v; want %d", tries, err, c.want)
			}
			tries = 0
			err = c.store.Retry(t.Context(), func() error {
				if tries++; tries < 3 && c.want > 1 {
					return c.err
				}
				return nil
			})
			if err != nil {
				t.Errorf("after two failures: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			tries = 0
			err = c.store.Retry(ctx, func() error {
				tries++
				cancel()
				return c.err
			})
			if tries != 1 || (c.want > 1 && !errors.Is(err, context.Canceled)) {
				t.Errorf("canceled: %d tries, error %v", tries, err)
			}
		})
	}
}
