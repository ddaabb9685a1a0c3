package db

import (
	"context"
	"encoding/json"
	"fmt"
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
