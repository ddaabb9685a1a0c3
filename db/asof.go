package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrBeforeHistory means that the log of changes does not reach so far back.
var ErrBeforeHistory = errors.New("the history does not reach so far back")

// CompleteFrom is the earliest time as of which rows can be rebuilt: when the database was made, or upgraded from a version
// whose log was not complete, or the oldest entry that retention keeps.
func (s *Store) CompleteFrom(ctx context.Context) (time.Time, error) {
	var at time.Time
	if err := s.reader.GetContext(ctx, &at, "SELECT complete_from FROM change_log"); err != nil {
		return at, fmt.Errorf("reading from when the history is complete: %w", err)
	}
	return cleanTime(at), nil
}

// AsOf gives the rows of a kind of a cluster as they were at a time by the database's clock, tombstones included, by their
// ids: today's rows, with every change undone that was recorded later. Volatile columns, the keys of info of which nothing
// is told, and observed_at are left out: nobody knows them any more. ErrBeforeHistory.
func (s *Store) AsOf(ctx context.Context, clusterID int64, kind Kind, at time.Time) (map[int64]Past, error) {
	t, err := s.tableOf(kind)
	if err != nil {
		return nil, err
	}
	tx, err := s.reader.BeginTxx(ctx, s.d.snapshot)
	if err != nil {
		return nil, fmt.Errorf("beginning to read the past: %w", advise(ctx, err))
	}
	defer tx.Rollback()
	rows, err := t.asOf(ctx, tx, clusterID, cleanTime(at))
	if err != nil {
		return nil, fmt.Errorf("reading the %s rows as of %s: %w", kind, at.Format(time.RFC3339), err)
	}
	return rows, nil
}

func (t *table) asOf(ctx context.Context, tx *sqlx.Tx, clusterID int64, at time.Time) (map[int64]Past, error) {
	var from time.Time
	if err := tx.GetContext(ctx, &from, "SELECT complete_from FROM change_log"); err != nil {
		return nil, err
	}
	if at.Before(cleanTime(from)) {
		return nil, fmt.Errorf("%w: it begins at %s", ErrBeforeHistory, cleanTime(from).Format(time.RFC3339Nano))
	}
	past := make(map[int64]Past)
	err := t.wholeRows(ctx, tx, "cluster_id = ?", []any{clusterID}, func(row Row) error {
		object, err := t.whole(row)
		if err != nil {
			return err
		}
		past[row.Base().ID], err = pastOf(object)
		return err
	})
	if err != nil {
		return nil, err
	}
	query := tx.Rebind(selectChanges + " WHERE cluster_id = ? AND kind = ? AND recorded_at > ? ORDER BY id DESC")
	later, err := tx.QueryxContext(ctx, query, clusterID, t.kind, at)
	if err != nil {
		return nil, err
	}
	defer later.Close()
	for later.Next() {
		if err := t.undoNext(past, later); err != nil {
			return nil, err
		}
	}
	for id, row := range past {
		if row == nil {
			delete(past, id)
			continue
		}
		t.forget(row)
	}
	return past, later.Err()
}

func (t *table) undoNext(past map[int64]Past, rows *sqlx.Rows) error {
	var stored changeRow
	if err := rows.StructScan(&stored); err != nil {
		return err
	}
	changes, err := decodeChanges([]changeRow{stored})
	if err != nil {
		return err
	}
	c := &changes[0]
	past[c.ObjectID], err = t.info.undo(past[c.ObjectID], c)
	if err != nil {
		return fmt.Errorf("undoing change %d: %w", c.ID, err)
	}
	return nil
}

// forget leaves out what no entry tells.
func (t *table) forget(row Past) {
	delete(row, "observed_at")
	for _, c := range t.columns {
		if c.volatile {
			delete(row, c.name)
		}
	}
	if info, ok := row[wholeInfo].(map[string]any); ok {
		for key := range t.info.leftOut {
			delete(info, key)
		}
	}
}
