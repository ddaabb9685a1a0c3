package db_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// operateSQL returns the statements of docs/operate.md that are written for a database.
func operateSQL(t *testing.T, dialect string) []string {
	t.Helper()
	text := string(must(os.ReadFile("../docs/operate.md"))(t))
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "   ") // those inside a list
	}
	var blocks []string
	for _, match := range sqlBlock.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		if match[1] == dialect || match[1] == "" {
			blocks = append(blocks, match[2])
		}
	}
	return blocks
}

// The statements of docs/operate.md do what the document says: ids move ahead of all that were given out, a cluster keeps
// its rows under a new name. Old changes go by retention_changes, which TestPurgeChanges holds.
func TestOperateSQL(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		docsFixture(t, s)
		run := func(with string) {
			t.Helper()
			for _, block := range operateSQL(t, s.Dialect()) {
				if strings.Contains(block, with) {
					if _, err := s.Writer().ExecContext(t.Context(), block); err != nil {
						t.Fatalf("%v\n%s", err, block)
					}
					return
				}
			}
			t.Fatalf("docs/operate.md has no statement for %s with %q", s.Dialect(), with)
		}
		run("FROM quarantine")
		run("1000000")
		var prod int64
		if err := s.DB().GetContext(t.Context(), &prod, "SELECT id FROM clusters WHERE name = 'prod'"); err != nil {
			t.Fatal(err)
		}
		gwmApply(t, s, prod, time.Now(), []string{"later.example.org"}, nil)
		for _, query := range []string{
			"SELECT id FROM virtual_machines WHERE name = 'later.example.org'", "SELECT max(id) FROM changes",
		} {
			var id int64
			if err := s.DB().GetContext(t.Context(), &id, query); err != nil || id <= 1000000 {
				t.Errorf("%s: %d, %v, want an id after the gap", query, id, err)
			}
		}

		run("UPDATE clusters SET name")
		if n := countRows(t, s.DB(), "SELECT * FROM vms WHERE cluster = 'main'"); n != 2 {
			t.Errorf("the renamed cluster has %d VMs", n)
		}
	})
}
