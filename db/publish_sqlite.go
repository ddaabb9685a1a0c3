package db

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// sqlitePublish appends entries. There is one writer, so that ids become visible in order, and nobody listens.
func sqlitePublish(ctx context.Context, x *txn, e *entries) (idRange, error) {
	if e.empty() {
		return idRange{}, nil
	}
	before, err := lastChange(ctx, x)
	if err != nil {
		return idRange{}, err
	}
	at, err := sqliteTurn(ctx, x)
	if err != nil {
		return idRange{}, err
	}
	if e.loaded != "" {
		if _, err := x.exec(ctx, insertLoaded(x.d, e.loaded, "", "?"), e.kind, OpCreated, at, e.clusterID); err != nil {
			return idRange{}, err
		}
	}
	for part := range slices.Chunk(e.rows, publishRows) {
		if err := e.complete(ctx, x, part); err != nil {
			return idRange{}, err
		}
		if err := loadChanges(ctx, x, part, at); err != nil {
			return idRange{}, err
		}
		release(part)
	}
	last, err := lastChange(ctx, x)
	return idRange{before + 1, last}, err
}

// sqliteTurn gives the time at which entries are recorded: now, but not before that of the last one. A file has no clock of
// its own.
func sqliteTurn(ctx context.Context, x *txn) (time.Time, error) {
	var last time.Time
	if err := x.get(ctx, &last, "SELECT recorded_at FROM change_log"); err != nil {
		return last, fmt.Errorf("reading when the last change was recorded: %w", cmp.Or(noTurn(err), err))
	}
	at := cleanTime(time.Now())
	if last.After(at) {
		at = cleanTime(last)
	}
	_, err := x.exec(ctx, "UPDATE change_log SET recorded_at = ?", at)
	return at, err
}

func noTurn(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errNoTurn
	}
	return nil
}

func loadChanges(ctx context.Context, x *txn, rows []changeRow, at time.Time) error {
	load, err := x.d.load(ctx, x, "changes", append(changeColumns(), "recorded_at"))
	if err != nil {
		return err
	}
	for i := range rows {
		if err := load.add(ctx, append(rows[i].pointers(), &at)); err != nil {
			return joinClose(ctx, err, load)
		}
	}
	return load.close(ctx)
}

func lastChange(ctx context.Context, x *txn) (int64, error) {
	var id int64
	if err := x.get(ctx, &id, "SELECT coalesce(max(id), 0) FROM changes"); err != nil {
		return 0, fmt.Errorf("reading the last change: %w", err)
	}
	return id, nil
}
