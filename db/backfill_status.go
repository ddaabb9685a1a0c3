package db

import (
	"context"
	"fmt"
)

// BackfillProgress says how far one table came whose rows are being brought up to date.
type BackfillProgress struct {
	Part    string `db:"part" json:"part"`
	LastID  int64  `db:"last_id" json:"last_id"`
	Checked int64  `db:"checked" json:"checked"`
	Changed int64  `db:"changed" json:"changed"`
}

// Backfills lists the tables that the newest backfill is not through with.
func (s *Store) Backfills(ctx context.Context) ([]BackfillProgress, error) {
	var rows []BackfillProgress
	err := s.read(ctx, &rows, `SELECT part, last_id, checked, changed FROM backfills
WHERE done_at IS NULL AND name = (SELECT name FROM backfills ORDER BY began_at DESC, name LIMIT 1) ORDER BY began_at, part`)
	if TroubleOf(err) == TroublePermission {
		return nil, nil // a role that only reads was not granted the table
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far stored rows are brought up to date: %w", err)
	}
	return rows, nil
}
