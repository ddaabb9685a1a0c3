package db

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	// Fields has what changed: columns by name, and parts of info by JSON Pointer ("/beparams/minmem"). Older entries have keys
	// of info by name, when no column changed. It is nil for created, removed and purged objects.
	Fields     map[string]FieldChange `json:"fields,omitempty"`
	ObservedAt time.Time              `json:"observed_at"`
	// RecordedAt is when the entry was written, by the database's clock. It never decreases with the id: what was known at
	// a time is all that was recorded by then.
	RecordedAt time.Time `json:"recorded_at"`
	// Object is the whole row as it was before it was removed or purged, by column, and nil otherwise. Entries of before
	// the upgrade that brought it have none.
	Object JSON `json:"object,omitempty"`
}

// FieldChange is one field's old and new value, as JSON has them; when read back, numbers are json.Number, and a value of
// more than 1 MiB is a json.RawMessage. Where a part of
// info was not or is not there, the value is Absent, and JSON has no such key.
type FieldChange struct {
	Old any `json:"old"`
	New any `json:"new"`
}

// Absent is the old or new value of a part of info that is not there. That is not the same as null.
var Absent any = absent{} //nolint:gochecknoglobals // a word of the language of changes

type absent struct{}

// String is what a person reads.
func (absent) String() string { return "absent" }

// Omitted stands for the new value of a part of info that is longer than 1 MiB. The row has it, or the old value of the next
// entry about that part.
type Omitted struct {
	Bytes int `json:"omitted_bytes"`
}

// MarshalJSON leaves out what is absent.
func (f FieldChange) MarshalJSON() ([]byte, error) { return f.append(nil) }

// UnmarshalJSON is its reverse.
func (f *FieldChange) UnmarshalJSON(text []byte) error {
	var sides struct{ Old, New sideOf }
	sides.Old.value, sides.New.value = Absent, Absent
	if err := json.Unmarshal(text, &sides); err != nil {
		return err
	}
	f.Old, f.New = sides.Old.value, sides.New.value
	return nil
}

// sideOf is the old or the new value.
type sideOf struct{ value any }

// maxDecoded is how long a value is decoded; a longer one stays a json.RawMessage, which takes less memory than its parts.
const maxDecoded = 1 << 20

// UnmarshalJSON decodes with numbers as they are spelled.
func (s *sideOf) UnmarshalJSON(text []byte) error {
	if len(text) > maxDecoded {
		s.value = json.RawMessage(bytes.Clone(text))
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(&s.value)
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
	Object     JSON      `db:"object"`
	RecordedAt time.Time `db:"recorded_at"`
	// before is observed_at of the row whose object is missing yet.
	before time.Time
}

// changeColumns are those that an entry brings along; its id and the time at which it is recorded come with its turn.
func changeColumns() []string {
	return []string{"cluster_id", "kind", "object_id", "uuid", "name", "op", "fields", "observed_at", "object"}
}

func (c *changeRow) pointers() []any {
	return []any{&c.ClusterID, &c.Kind, &c.ObjectID, &c.UUID, &c.Name, &c.Op, &c.Fields, &c.ObservedAt, &c.Object}
}

// row encodes the change.
func (c *Change) row() (changeRow, error) {
	r := changeRow{
		ClusterID: c.ClusterID, Kind: string(c.Kind), ObjectID: c.ObjectID, UUID: c.UUID, Name: c.Name,
		Op: string(c.Op), ObservedAt: c.ObservedAt,
	}
	if len(c.Fields) > 0 {
		text, err := encodeFields(c.Fields)
		if err != nil {
			return r, fmt.Errorf("encoding the changed fields of %s: %w", c.UUID, err)
		}
		r.Fields = text
	}
	return r, nil
}

// encodeFields gives what json.Marshal gives for the fields, in one piece: parts of info may be as large as the answer, and
// each copy of them takes memory.
func encodeFields(fields map[string]FieldChange) (JSON, error) {
	names := slices.Sorted(maps.Keys(fields))
	size := 2
	for _, name := range names {
		size += len(name) + 32 + sizeOf(fields[name].Old) + sizeOf(fields[name].New)
	}
	text := append(make([]byte, 0, size), '{')
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		var err error
		if text, err = appendJSON(text, name); err != nil {
			return nil, err
		}
		if text, err = fields[name].append(append(text, ':')); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return append(text, '}'), nil
}

// append appends the change as MarshalJSON gives it.
func (f FieldChange) append(text []byte) ([]byte, error) {
	text = append(text, '{')
	begun := len(text)
	for _, side := range []struct {
		key   string
		value any
	}{{`"new":`, f.New}, {`"old":`, f.Old}} {
		if side.value == Absent {
			continue
		}
		if len(text) > begun {
			text = append(text, ',')
		}
		var err error
		if text, err = appendJSON(append(text, side.key...), side.value); err != nil {
			return nil, err
		}
	}
	return append(text, '}'), nil
}

func appendJSON(text []byte, value any) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return append(text, raw...), nil // it is known to be valid
	}
	encoded, err := json.Marshal(value)
	return append(text, encoded...), err
}

// sizeOf is about how long a value is as JSON.
func sizeOf(value any) int {
	switch v := value.(type) {
	case json.RawMessage:
		return len(v)
	case string:
		return len(v)
	}
	return 16
}

const selectChanges = "SELECT id, cluster_id, kind, object_id, uuid, name, op, fields, observed_at, object, recorded_at FROM changes"

func decodeChanges(rows []changeRow) ([]Change, error) {
	changes := make([]Change, len(rows))
	for i, r := range rows {
		changes[i] = Change{
			ID: r.ID, ClusterID: r.ClusterID, Kind: Kind(r.Kind), ObjectID: r.ObjectID, UUID: r.UUID, Name: r.Name,
			Op: Op(r.Op), ObservedAt: cleanTime(r.ObservedAt), Object: r.Object, RecordedAt: cleanTime(r.RecordedAt),
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
