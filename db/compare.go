package db

import (
	"cmp"
	"context"
	"slices"
)

// flushChunk compares the gathered rows with the record and has those that differ written. With a reader of its own it goes
// on with the next chunk meanwhile.
func (a *applier) flushChunk(ctx context.Context) error {
	if len(a.chunk) == 0 {
		return nil
	}
	rows := a.chunk
	a.chunk, a.chunkBytes = nil, 0
	d, err := a.compare(ctx, rows)
	if err := cmp.Or(err, a.settle()); err != nil {
		return err
	}
	a.startWriting(ctx, d)
	if a.reader == nil {
		return a.settle()
	}
	return nil
}

// compare tells what of the rows has to be written, and notes the changes of those that are on record.
func (a *applier) compare(ctx context.Context, rows []Row) (*difference, error) {
	known, err := a.existing(ctx, uuidsOf(rows))
	if err != nil {
		return nil, err
	}
	a.modern(known)
	d := &difference{clusterID: a.snap.ClusterID}
	var write []Row
	for _, row := range rows {
		verdict, err := a.classify(ctx, known[row.Base().UUID], row)
		if err != nil {
			return nil, err
		}
		switch verdict {
		case verdictCreated:
			if a.refused(row.Base().UUID) {
				continue
			}
			d.created = append(d.created, row)
			write = append(write, row)
		case verdictWrite:
			write = append(write, row)
		case verdictDigest:
			d.same = append(d.same, row)
		case verdictSame:
		}
	}
	if len(write) > 0 {
		d.upserts = a.x.d.upserts(a.t, write)
	}
	return d, nil
}

// verdict is what a row needs.
type verdict int

const (
	verdictSame    verdict = iota // nothing: equal, or the record is newer
	verdictCreated                // writing; the change is recorded when its id is known
	verdictWrite                  // writing; its change, if any, is recorded
	verdictDigest                 // its new digest: other bytes of the same meaning
)

// classify compares a row with the one on record, if any, and notes the change.
func (a *applier) classify(ctx context.Context, old, row Row) (verdict, error) {
	if old == nil {
		return verdictCreated, nil
	}
	was, is := old.Base(), row.Base()
	switch newer, err := a.newer(ctx, was.Ticket); {
	case err != nil:
		return verdictSame, err
	case newer:
		a.out.Skipped = append(a.out.Skipped, is.UUID)
		return verdictSame, nil
	}
	fields, silent := differences(a.t, old, row)
	op := OpUpdated
	switch {
	case was.DeletedAt != nil:
		op = OpRestored
		fields["deleted_at"] = FieldChange{Old: shownField(&was.DeletedAt)}
	case was.Name != is.Name:
		op = OpRenamed
	case len(fields) > 0:
	case silent:
		return verdictWrite, nil
	case slices.Equal(was.Digest, is.Digest):
		return verdictSame, nil
	default:
		return verdictDigest, nil
	}
	a.note(op, was.ID, is, fields)
	return verdictWrite, nil
}

// differences returns the columns and the parts of info that differ, and whether others do, of which nothing is told.
func differences(t *table, old, row Row) (fields map[string]FieldChange, silent bool) {
	fields = make(map[string]FieldChange)
	if was, is := old.Base().Name, row.Base().Name; was != is {
		fields["name"] = FieldChange{Old: was, New: is}
	}
	before, columns := t.content(old)
	after, _ := t.content(row)
	for i, c := range columns {
		switch {
		case c.same(before[i], after[i]):
		case c.volatile:
			silent = true
		default:
			fields[c.name] = FieldChange{Old: shownField(before[i]), New: shownField(after[i])}
		}
	}
	differs := addInfo(fields, old.Base().Info, row.Base().Info, &t.info)
	return fields, silent || differs
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
	case OpPurged: // an outcome tells of what an answer shows, which no purge follows from
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
	row.before = base.ObservedAt // of an object that is removed: what is on record
	a.changes = append(a.changes, row)
	if _, tags := fields["tags"]; tags || op == OpCreated || op == OpRestored {
		a.tagged = append(a.tagged, base.UUID)
	}
}
