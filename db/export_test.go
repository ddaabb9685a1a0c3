package db

import (
	"context"
	"net/url"
)

// Retry exposes the retries of transactions to their test.
func (s *Store) Retry(ctx context.Context, fn func() error) error { return s.retry(ctx, fn) }

// MaxTries is the bound on them.
const MaxTries = maxTries

// InfoDifferences exposes the comparison by meaning.
func InfoDifferences(old, now JSON) (map[string]FieldChange, error) { return infoDifferences(old, now) }

// PostgresDefaults exposes what is added to a database URL.
func PostgresDefaults(u *url.URL) string { return postgresDefaults(u) }

// ArrayLiteral and JSONText expose the stored forms of a list.
func ArrayLiteral(l List) string { return string(l.appendArray(nil)) }

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
