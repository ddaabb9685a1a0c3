package db

import (
	"context"
	"fmt"
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
	if e.loaded != "" {
		if _, err := x.exec(ctx, insertLoaded(x.d, e.loaded, ""), e.kind, OpCreated, e.clusterID); err != nil {
			return idRange{}, err
		}
	}
	if len(e.rows) > 0 {
		if err := loadChanges(ctx, x, e.rows); err != nil {
			return idRange{}, err
		}
	}
	last, err := lastChange(ctx, x)
	return idRange{before + 1, last}, err
}

func loadChanges(ctx context.Context, x *txn, rows []changeRow) error {
	load, err := x.d.load(ctx, x, "changes", changeColumns())
	if err != nil {
		return err
	}
	for i := range rows {
		if err := load.add(ctx, rows[i].pointers()); err != nil {
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
