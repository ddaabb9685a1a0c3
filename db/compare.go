package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// flushChunk compares the gathered rows with the record and writes those that differ.
func (a *applier) flushChunk(ctx context.Context) error {
	if len(a.chunk) == 0 {
		return nil
	}
	uuids := make([]string, len(a.chunk))
	for i, row := range a.chunk {
		uuids[i] = row.Base().UUID
	}
	known, err := a.existing(ctx, uuids)
	if err != nil {
		return err
	}
	var write, created, unclear []Row
	for _, row := range a.chunk {
		old := known[row.Base().UUID]
		switch a.classify(old, row) {
		case verdictCreated:
			created = append(created, row)
			write = append(write, row)
		case verdictWrite:
			write = append(write, row)
		case verdictUnclear:
			unclear = append(unclear, row)
		case verdictSame:
		}
	}
	more, err := a.compareInfo(ctx, known, unclear)
	if err != nil {
		return err
	}
	if err := a.write(ctx, append(write, more...)); err != nil {
		return err
	}
	a.chunk, a.chunkBytes = a.chunk[:0], 0
	return a.recordCreated(ctx, created)
}

// verdict is what a row needs.
type verdict int

const (
	verdictSame    verdict = iota // nothing: equal, or the record is newer
	verdictCreated                // writing; the change is recorded when its id is known
	verdictWrite                  // writing; its change, if any, is recorded
	verdictUnclear                // comparing info: other bytes, the same columns
)

// classify compares a row with the one on record, if any, and notes the change.
func (a *applier) classify(old, row Row) verdict {
	if old == nil {
		return verdictCreated
	}
	was, is := old.Base(), row.Base()
	if was.ObservedAt.After(a.snap.StartedAt) {
		a.out.Skipped = append(a.out.Skipped, is.UUID)
		return verdictSame
	}
	fields, volatile := differences(a.t, old, row)
	op := OpUpdated
	switch {
	case was.DeletedAt != nil:
		op = OpRestored
	case was.Name != is.Name:
		op = OpRenamed
	case len(fields) > 0:
	case volatile:
		return verdictWrite
	case slices.Equal(was.Digest, is.Digest):
		return verdictSame
	default:
		return verdictUnclear
	}
	a.note(op, was.ID, is, fields)
	return verdictWrite
}

// differences returns the columns that differ, and whether volatile ones do.
func differences(t *table, old, row Row) (fields map[string]FieldChange, volatile bool) {
	fields = make(map[string]FieldChange)
	if was, is := old.Base().Name, row.Base().Name; was != is {
		fields["name"] = FieldChange{Old: was, New: is}
	}
	before, columns := t.content(old)
	after, _ := t.content(row)
	for i, c := range columns {
		switch {
		case sameField(before[i], after[i]):
		case c.volatile:
			volatile = true
		default:
			fields[c.name] = FieldChange{Old: shownField(before[i]), New: shownField(after[i])}
		}
	}
	return fields, volatile
}

// note counts a change and keeps its entry as it will be stored: ten thousand maps of fields would take more memory than
// the rows do.
func (a *applier) note(op Op, id int64, base *Object, fields map[string]FieldChange) {
	switch op {
	case OpCreated:
		a.out.Created++
	case OpUpdated:
		a.out.Updated++
	case OpRenamed:
		a.out.Renamed++
	case OpRemoved:
		a.out.Removed++
	case OpRestored:
		a.out.Restored++
	}
	change := Change{
		ClusterID: a.snap.ClusterID, Kind: a.snap.Kind, ObjectID: id, UUID: base.UUID, Name: base.Name, Op: op,
		Fields: fields, ObservedAt: a.snap.StartedAt,
	}
	row, err := change.row()
	if err != nil {
		a.unfit = cmp.Or(a.unfit, err)
		return
	}
	a.changes = append(a.changes, row)
	if _, tags := fields["tags"]; tags || op == OpCreated || op == OpRestored {
		a.tagged = append(a.tagged, base.UUID)
	}
}

// compareInfo looks into the objects whose bytes changed while every column is the same. Those that mean the same get
// their new digest; the others are returned for writing, their changed keys noted.
func (a *applier) compareInfo(ctx context.Context, known map[string]Row, rows []Row) (changed []Row, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	uuids := make([]string, len(rows))
	for i, row := range rows {
		uuids[i] = row.Base().UUID
	}
	var infos []struct {
		UUID string `db:"uuid"`
		Info JSON   `db:"info"`
	}
	query := "SELECT uuid, info FROM " + a.t.name + " WHERE cluster_id = ? AND " + a.x.d.in("uuid")
	if err := a.x.all(ctx, &infos, query, a.snap.ClusterID, a.x.d.list(uuids)); err != nil {
		return nil, fmt.Errorf("reading the objects on record: %w", err)
	}
	before := make(map[string]JSON, len(infos))
	for _, i := range infos {
		before[i.UUID] = i.Info
	}
	var same []Row
	for _, row := range rows {
		base := row.Base()
		fields, err := infoDifferences(before[base.UUID], base.Info)
		if err != nil {
			return nil, fmt.Errorf("comparing %s %s: %w", a.snap.Kind, base.UUID, err)
		}
		if len(fields) == 0 {
			same = append(same, row)
			continue
		}
		changed = append(changed, row)
		for _, key := range a.t.derived {
			delete(fields, key)
		}
		if len(fields) > 0 {
			a.note(OpUpdated, known[base.UUID].Base().ID, base, fields)
		}
	}
	if len(same) > 0 {
		if err := a.x.d.setDigests(ctx, a.x, a.t, a.snap.ClusterID, same); err != nil {
			return nil, fmt.Errorf("updating digests: %w", err)
		}
		a.out.RowsWritten += int64(len(same))
	}
	return changed, nil
}

func (a *applier) write(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	n, err := a.x.d.upsert(ctx, a.x, a.t, rows)
	if err != nil {
		return fmt.Errorf("writing %d rows: %w", len(rows), err)
	}
	a.out.RowsWritten += n
	return nil
}

// recordCreated notes the new rows under the ids they got.
func (a *applier) recordCreated(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	uuids := make([]string, len(rows))
	for i, row := range rows {
		uuids[i] = row.Base().UUID
	}
	var ids []struct {
		ID   int64  `db:"id"`
		UUID string `db:"uuid"`
	}
	query := "SELECT id, uuid FROM " + a.t.name + " WHERE cluster_id = ? AND " + a.x.d.in("uuid")
	if err := a.x.all(ctx, &ids, query, a.snap.ClusterID, a.x.d.list(uuids)); err != nil {
		return fmt.Errorf("reading the ids of new rows: %w", err)
	}
	byUUID := make(map[string]int64, len(ids))
	for _, i := range ids {
		byUUID[i.UUID] = i.ID
	}
	for _, row := range rows {
		a.note(OpCreated, byUUID[row.Base().UUID], row.Base(), nil)
	}
	return nil
}
