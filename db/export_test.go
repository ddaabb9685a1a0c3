package db

import "context"

// Retry exposes the retries of transactions to their test.
func (s *Store) Retry(ctx context.Context, fn func() error) error { return s.retry(ctx, fn) }

// MaxTries is the bound on them.
const MaxTries = maxTries

// InfoDifferences exposes the comparison by meaning.
func InfoDifferences(old, now JSON) (map[string]FieldChange, error) { return infoDifferences(old, now) }
