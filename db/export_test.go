package db

import (
	"context"
	"io/fs"
	"net/url"

	"ganeticache/dburl"
)

// Retry exposes the retries of transactions to their test.
func (s *Store) Retry(ctx context.Context, fn func() error) error { return s.retry(ctx, fn) }

// MaxTries is the bound on them.
const MaxTries = maxTries

// InfoDifferences exposes the comparison by meaning.
func InfoDifferences(old, now JSON) (map[string]FieldChange, error) {
	d, err := infoDifferences(old, now, nil)
	if err != nil {
		return nil, err
	}
	return d.fields, nil
}

// ExplainVMs gives the plan of the query that a search of VMs runs, with what it took if analyze is set and the database
// can tell.
func (s *Store) ExplainVMs(ctx context.Context, f VMFilter, analyze bool) ([]string, error) {
	q, err := s.newSearch(ctx, KindVM, f.common(), f.conditions)
	if err != nil {
		return nil, err
	}
	leader, err := q.lead(ctx)
	if err != nil {
		return nil, err
	}
	query, args := q.statement(leader, q.order.segments()[0], q.limit+1)
	var lines []string
	if s.d.search.blind {
		var rows []struct {
			ID      int    `db:"id"`
			Parent  int    `db:"parent"`
			NotUsed int    `db:"notused"`
			Detail  string `db:"detail"`
		}
		err := s.read(ctx, &rows, "EXPLAIN QUERY PLAN "+query, args...)
		for _, r := range rows {
			lines = append(lines, r.Detail)
		}
		return lines, err
	}
	explain := "EXPLAIN "
	if analyze {
		explain = "EXPLAIN (ANALYZE, BUFFERS) "
	}
	err = s.read(ctx, &lines, explain+query, args...)
	return lines, err
}

// PostgresDefaults exposes what is added to a database URL.
func PostgresDefaults(u *url.URL) (string, error) { return postgresDefaults(u) }

// ArrayLiteral and JSONText expose the stored forms of a list.
func ArrayLiteral(l List) string { return string(l.array()) }

// JSONText is SQLite's form.
func JSONText(l List) string { return l.jsonText() }

// CopyLine returns the columns of a row's COPY and its line of text.
func CopyLine(row *VM) (columns []string, line []byte) {
	t := newTable(kindTables()[0])
	for i, p := range t.writePointers(row) {
		if i > 0 {
			line = append(line, '\t')
		}
		line = appendCopyField(line, p)
	}
	return t.written, append(line, '\n')
}

// ParsePostgres exposes how a database URL is read.
func ParsePostgres(raw string) (*url.URL, error) {
	a, err := dburl.Parse(raw)
	if err != nil {
		return nil, err
	}
	return a.URL, nil
}

// Whole gives the rows of a kind of a cluster as they are, tombstones included, without what no entry of changes tells.
func (s *Store) Whole(ctx context.Context, clusterID int64, kind Kind) (map[int64]Past, error) {
	t := s.tables[kind]
	rows := make(map[int64]Past)
	err := t.wholeRows(ctx, s.reader, "cluster_id = ?", []any{clusterID}, func(row Row) error {
		object, err := t.whole(row)
		if err != nil {
			return err
		}
		past, err := pastOf(object)
		t.forget(past)
		rows[row.Base().ID] = past
		return err
	})
	return rows, err
}

// SameMeaning compares values by meaning.
func SameMeaning(a, b JSON) bool { return sameJSON(a, b) }

// MigrateTo makes the schema of an older program.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// Migration gives the text of a migration as it is run.
func (s *Store) Migration(name string) (string, error) {
	files, err := s.d.migrations()
	if err != nil {
		return "", err
	}
	text, err := fs.ReadFile(files, name)
	return string(text), err
}

// MigrationNames lists the files of a dialect.
func (s *Store) MigrationNames() ([]string, error) {
	files, err := s.d.migrations()
	if err != nil {
		return nil, err
	}
	return fs.Glob(files, "*.sql")
}
