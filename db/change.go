package db

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Change is a row of changes.
type Change struct {
	// ID is a cursor: ids become visible in ascending order.
	ID        int64 `json:"id"`
	ClusterID int64 `json:"cluster_id"`
	// Cluster is the cluster's name; ChangesAfter fills it.
	Cluster string `json:"cluster"`
	Kind    Kind   `json:"kind"`
	// ObjectID is the id of the row in the table of its kind.
	ObjectID int64  `json:"object_id"`
	UUID     string `json:"uuid"`
	Name     string `json:"name"`
	Op       Op     `json:"op"`
	// Fields has the columns that changed (or keys of info, when no column did); nil for created and removed objects.
	Fields     map[string]FieldChange `json:"fields,omitempty"`
	ObservedAt time.Time              `json:"observed_at"`
}

// FieldChange is one field's old and new value, as JSON has them; numbers are json.Number when read back.
type FieldChange struct {
	Old any `json:"old"`
	New any `json:"new"`
}

// changeRow is a Change as it is stored.
type changeRow struct {
	ID         int64     `db:"id"`
	ClusterID  int64     `db:"cluster_id"`
	Kind       string    `db:"kind"`
	ObjectID   int64     `db:"object_id"`
	UUID       string    `db:"uuid"`
	Name       string    `db:"name"`
	Op         string    `db:"op"`
	Fields     JSON      `db:"fields"`
	ObservedAt time.Time `db:"observed_at"`
}

func changeColumns() []string {
	return []string{"cluster_id", "kind", "object_id", "uuid", "name", "op", "fields", "observed_at"}
}

func (c *changeRow) pointers() []any {
	return []any{&c.ClusterID, &c.Kind, &c.ObjectID, &c.UUID, &c.Name, &c.Op, &c.Fields, &c.ObservedAt}
}

// row encodes the change.
func (c *Change) row() (changeRow, error) {
	r := changeRow{
		ClusterID: c.ClusterID, Kind: string(c.Kind), ObjectID: c.ObjectID, UUID: c.UUID, Name: c.Name,
		Op: string(c.Op), ObservedAt: c.ObservedAt,
	}
	if len(c.Fields) > 0 {
		text, err := json.Marshal(c.Fields)
		if err != nil {
			return r, fmt.Errorf("encoding the changed fields of %s: %w", c.UUID, err)
		}
		r.Fields = text
	}
	return r, nil
}

const selectChanges = "SELECT id, cluster_id, kind, object_id, uuid, name, op, fields, observed_at FROM changes"

func decodeChanges(rows []changeRow) ([]Change, error) {
	changes := make([]Change, len(rows))
	for i, r := range rows {
		changes[i] = Change{
			ID: r.ID, ClusterID: r.ClusterID, Kind: Kind(r.Kind), ObjectID: r.ObjectID, UUID: r.UUID, Name: r.Name,
			Op: Op(r.Op), ObservedAt: cleanTime(r.ObservedAt),
		}
		if r.Fields == nil {
			continue
		}
		var err error
		if changes[i].Fields, err = decodeFields(r.Fields); err != nil {
			return nil, fmt.Errorf("decoding change %d: %w", r.ID, err)
		}
	}
	return changes, nil
}

// Changes returns at most limit entries with an id greater than after, of all clusters, in order. The id of the last one
// is the next call's after: no entry with a smaller id appears later.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	var rows []changeRow
	if err := s.read(ctx, &rows, selectChanges+" WHERE id > ? ORDER BY id LIMIT ?", after, limit); err != nil {
		return nil, fmt.Errorf("reading the changes after %d: %w", after, err)
	}
	return decodeChanges(rows)
}

// recordChanges appends the noted changes and those of the straight load; it returns the newest id, 0 for none. It comes
// last in a transaction, because from here on the others have to wait.
func (a *applier) recordChanges(ctx context.Context) (int64, error) {
	if a.unfit != nil {
		return 0, a.unfit
	}
	if len(a.changes) == 0 && a.out.Created == 0 {
		return 0, nil
	}
	if err := a.syncOwners(ctx); err != nil {
		return 0, err
	}
	if a.x.d.sequencer != "" {
		if _, err := a.x.exec(ctx, a.x.d.sequencer); err != nil {
			return 0, fmt.Errorf("waiting to append changes: %w", err)
		}
	}
	var before int64
	if a.snap.Explain {
		var err error
		if before, err = lastChange(ctx, a.x); err != nil {
			return 0, err
		}
	}
	if a.cold {
		// Every row of the cluster is new. Their ids are known to the database alone.
		_, err := a.x.exec(ctx, `
INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at)
SELECT cluster_id, `+a.x.d.cast("?", "text")+`, id, uuid, name, `+a.x.d.cast("?", "text")+`, observed_at
FROM `+a.t.name+` WHERE cluster_id = ? ORDER BY id`, a.snap.Kind, OpCreated, a.snap.ClusterID)
		if err != nil {
			return 0, fmt.Errorf("appending changes: %w", err)
		}
	}
	if err := insertChanges(ctx, a.x, a.changes); err != nil {
		return 0, err
	}
	if a.snap.Explain {
		var err error
		if a.out.Changes, err = changesSince(ctx, a.x, a.snap.ClusterID, before); err != nil {
			return 0, err
		}
	}
	return lastChange(ctx, a.x)
}

func lastChange(ctx context.Context, x *txn) (int64, error) {
	var id int64
	if err := x.get(ctx, &id, "SELECT coalesce(max(id), 0) FROM changes"); err != nil {
		return 0, fmt.Errorf("reading the last change: %w", err)
	}
	return id, nil
}

// changesSince reads the transaction's own entries.
func changesSince(ctx context.Context, x *txn, clusterID, before int64) ([]Change, error) {
	var rows []changeRow
	if err := x.all(ctx, &rows, selectChanges+" WHERE cluster_id = ? AND id > ? ORDER BY id", clusterID, before); err != nil {
		return nil, fmt.Errorf("reading the changes made: %w", err)
	}
	return decodeChanges(rows)
}

func insertChanges(ctx context.Context, x *txn, changes []changeRow) error {
	if len(changes) == 0 {
		return nil
	}
	columns := changeColumns()
	if len(changes) <= valuesRows {
		args := make([]any, 0, len(changes)*len(columns))
		for i := range changes {
			args = x.d.arguments(args, changes[i].pointers())
		}
		if _, err := x.exec(ctx, valuesStatement("changes", columns, len(changes), ""), args...); err != nil {
			return fmt.Errorf("appending %d changes: %w", len(changes), err)
		}
		return nil
	}
	load, err := x.d.load(ctx, x, "changes", columns)
	if err != nil {
		return err
	}
	for i := range changes {
		if err := load.add(ctx, changes[i].pointers()); err != nil {
			return joinClose(ctx, err, load)
		}
	}
	if err := load.close(ctx); err != nil {
		return fmt.Errorf("appending %d changes: %w", len(changes), err)
	}
	return nil
}

// notify tells listeners that a transaction wrote rows of a kind.
func notify(ctx context.Context, x *txn, clusterID int64, k Kind, change int64) error {
	payload := `{"cluster_id":` + strconv.FormatInt(clusterID, 10) + `,"kind":"` + string(k) +
		`","change_id":` + strconv.FormatInt(change, 10) + `}`
	if err := x.d.notify(ctx, x, payload); err != nil {
		return fmt.Errorf("notifying: %w", err)
	}
	return nil
}
