package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ChangeFilter chooses entries of changes; the zero value chooses the oldest ones.
type ChangeFilter struct {
	// After is the id of the last entry that is known already.
	After int64
	// Epoch is that of After, as [Store.ChangeEpochs] gives it; "" when it is not known.
	Epoch string
	// Limit is at most MaxLimit; 0 is DefaultLimit.
	Limit int
	// Kind is that of the objects, "" for all of them.
	Kind Kind
	// Cluster is a name.
	Cluster string
	// Object is a name or a uuid. The history of an object that is on record is complete, under any name it has had.
	Object string
	// ObjectID is the row id, with Kind; it goes before Object.
	ObjectID int64
	// Since is when the change was observed, at the earliest.
	Since *time.Time
	// Permitted restricts to what somebody may see; nil does not.
	Permitted *Permitted
	// Newest wants the last entries instead of the first; they are in the order of their ids all the same.
	Newest bool
}

// check finds what no database should be asked.
func (f *ChangeFilter) check() error {
	if f.Limit < 0 || f.Limit > MaxLimit {
		return badFilter("limit", "%d is not between 1 and %d", f.Limit, MaxLimit)
	}
	if f.After < 0 {
		return badFilter("after", "%d is not the id of a change", f.After)
	}
	if f.Kind != "" && f.Kind != KindCluster && !slices.Contains(Kinds(), f.Kind) {
		return badFilter("kind", "%q is none of cluster, vm, node, group, network and job", shorten(string(f.Kind)))
	}
	if f.ObjectID != 0 && f.Kind == "" {
		return badFilter("object_id", "it needs a kind")
	}
	return nil
}

// ChangesAfter returns the entries that pass the filter, in the order of their ids, with the names of their clusters. No
// entry with a smaller id appears later, so the id of the last one is the next call's After; 0 is before
// the oldest entry kept. ErrBadFilter, ErrCursorGone.
func (s *Store) ChangesAfter(ctx context.Context, f ChangeFilter) ([]Change, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	where, args := []string{"ch.id > ?"}, []any{f.After}
	add := func(condition string, more ...any) {
		where, args = append(where, condition), append(args, more...)
	}
	if f.Kind != "" {
		add("ch.kind = ?", f.Kind)
	}
	if f.Cluster != "" {
		add("c.name = ?", cleanText(f.Cluster))
	}
	switch {
	case f.ObjectID != 0:
		add("ch.object_id = ?", f.ObjectID)
	case f.Object != "":
		condition, more, err := s.objectHistory(ctx, f)
		if err != nil {
			return nil, err
		}
		add(condition, more...)
	}
	if f.Since != nil {
		add("ch.observed_at >= ?", cleanTime(*f.Since))
	}
	if f.Permitted != nil {
		condition, more := f.Permitted.changeSQL(s.d, "ch")
		add(condition, more...)
	}
	direction := "ASC"
	if f.Newest {
		direction = "DESC"
	}
	var rows []struct {
		changeRow
		Cluster string `db:"cluster"`
	}
	query := `
SELECT ch.id, ch.cluster_id, ch.kind, ch.object_id, ch.uuid, ch.name, ch.op, ch.fields, ch.observed_at, ch.object, ch.recorded_at,
       c.name AS cluster
FROM changes ch
JOIN clusters c ON c.id = ch.cluster_id
WHERE ` + strings.Join(where, " AND ") + "\nORDER BY ch.id " + direction + " LIMIT ?"
	if err := s.read(ctx, &rows, query, append(args, cmp.Or(f.Limit, DefaultLimit))...); err != nil {
		return nil, fmt.Errorf("reading the changes after %d: %w", f.After, err)
	}
	if err := s.checkCursor(ctx, f.After, f.Epoch); err != nil {
		return nil, err
	}
	if f.Newest {
		slices.Reverse(rows)
	}
	plain := make([]changeRow, len(rows))
	for i := range rows {
		plain[i] = rows[i].changeRow
	}
	changes, err := decodeChanges(plain)
	for i := range changes {
		changes[i].Cluster = rows[i].Cluster
	}
	return changes, err
}

// objectHistory is a condition for the entries of the objects that are called so, by their rows, which keep their ids
// when they are renamed. Without any row the entries themselves are asked, which takes a look at each of them.
func (s *Store) objectHistory(ctx context.Context, f ChangeFilter) (string, []any, error) {
	object := cleanText(f.Object)
	var queries []string
	var args []any
	for _, k := range append(Kinds(), KindCluster) {
		if f.Kind != "" && f.Kind != k {
			continue
		}
		from := "clusters"
		if t, ok := s.tables[k]; ok {
			from = t.name
		}
		// Through the clusters, the index on (cluster_id, uuid) finds a uuid in all of them.
		byUUID := "SELECT m.id FROM clusters k JOIN " + from + " m ON m.cluster_id = k.id WHERE m.uuid = ?"
		if k == KindCluster {
			byUUID = "SELECT id FROM clusters WHERE uuid = ?"
		}
		queries = append(queries, "SELECT '"+string(k)+"' AS kind, id FROM "+from+" WHERE name = ? UNION SELECT '"+
			string(k)+"', id FROM ("+byUUID+") x")
		args = append(args, object, object)
	}
	var found []struct {
		Kind Kind  `db:"kind"`
		ID   int64 `db:"id"`
	}
	if err := s.read(ctx, &found, strings.Join(queries, " UNION ALL ")+" LIMIT ?", append(args, maxValues)...); err != nil {
		return "", nil, fmt.Errorf("looking up %q: %w", shorten(f.Object), err)
	}
	if len(found) == 0 {
		return "(ch.name = ? OR ch.uuid = ?)", []any{object, object}, nil
	}
	var either []string
	args = nil
	for _, o := range found {
		either = append(either, "(ch.kind = ? AND ch.object_id = ?)")
		args = append(args, o.Kind, o.ID)
	}
	return "(" + strings.Join(either, " OR ") + ")", args, nil
}
