package documents_test

import (
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// Every block of SQL runs on the database that it is marked with, or on both, and what it did is undone.
func TestBlocks_SQL(t *testing.T) {
	t.Parallel()
	all := blocks(t)
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		n := 0
		for _, b := range all {
			if b.Language != "sql" {
				continue
			}
			switch b.Mark {
			case "", s.Dialect():
			case "postgres", "sqlite":
				continue
			default:
				t.Errorf("%s: %q is none of our databases", b.At(-1), b.Mark)
			}
			n++
			tx, err := s.Writer().BeginTxx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), b.Text); err != nil {
				t.Errorf("%s: %v", b.At(0), err)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if n < 10 {
			t.Errorf("only %d blocks were found", n)
		}
	})
}
