package db

import (
	"context"
	"fmt"
)

// entries are what a transaction appends to changes.
type entries struct {
	clusterID int64
	kind      Kind
	rows      []changeRow
	// table is that of the kind; rows without the object that they need are completed from it.
	table *table
	// loaded is a table that holds nothing of the cluster but new rows: their ids are known to the database alone.
	loaded string
}

// empty says that there is nothing to append.
func (e *entries) empty() bool { return len(e.rows) == 0 && e.loaded == "" }

// idRange is the first and the last id that entries got; zeros when there were none.
type idRange struct {
	First int64 `db:"first"`
	Last  int64 `db:"last"`
}

// publish brings the grants from tags in step, appends the noted changes and those of the straight load, and tells listeners
// that rows were written. It comes last in a transaction, because from here on the others have to wait.
func (a *applier) publish(ctx context.Context) error {
	if a.unfit != nil {
		return a.unfit
	}
	e := entries{clusterID: a.snap.ClusterID, kind: a.snap.Kind, rows: a.changes, table: a.t}
	if a.cold && a.out.Created > 0 {
		e.loaded = a.t.name
	}
	if e.empty() && a.out.RowsWritten == 0 {
		return nil
	}
	if !e.empty() {
		if err := a.syncOwners(ctx); err != nil {
			return err
		}
	}
	if !e.empty() {
		if err := a.x.beginEpoch(ctx, a.epoch); err != nil {
			return err
		}
	}
	ids, err := a.x.d.publish(ctx, a.x, &e)
	if err != nil {
		return fmt.Errorf("appending to changes: %w", err)
	}
	wrote := !e.empty()
	e, a.changes = entries{clusterID: e.clusterID}, nil
	if a.snap.Explain && wrote {
		a.out.Changes, err = appended(ctx, a.x, e.clusterID, ids)
	}
	return err
}

// appended reads the transaction's own entries.
func appended(ctx context.Context, x *txn, clusterID int64, ids idRange) ([]Change, error) {
	var rows []changeRow
	query := selectChanges + " WHERE cluster_id = ? AND id BETWEEN ? AND ? ORDER BY id"
	if err := x.all(ctx, &rows, query, clusterID, ids.First, ids.Last); err != nil {
		return nil, fmt.Errorf("reading the changes made: %w", err)
	}
	return decodeChanges(rows)
}

// insertLoaded appends an entry for each row of a table that was loaded straight. Its arguments are kind, operation and
// cluster; at is the time of the turn.
func insertLoaded(d *dialect, table, from, at string) string {
	return `INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at, recorded_at)
SELECT r.cluster_id, ` + d.cast("?", "text") + ", r.id, r.uuid, r.name, " + d.cast("?", "text") + ", r.observed_at, " + at + `
FROM ` + from + table + ` r WHERE r.cluster_id = ? ORDER BY r.id`
}
