package trial

import (
	"context"
	"fmt"
	"time"
)

// requestTime bounds how long after the start of a request its answer may have been made: a paused replica sends what
// it began before its pause, so that this is far above the time-outs of the trials.
const requestTime = 30 * time.Second

// readChanges replays the entries that are new in the table changes, and checks each removal.
func (j *Judge) readChanges(ctx context.Context) error {
	columns, err := j.columns(ctx)
	if err != nil {
		return err
	}
	var rows []struct {
		ID         int64     `db:"id"`
		Cluster    string    `db:"cluster"`
		Kind       string    `db:"kind"`
		ObjectID   int64     `db:"object_id"`
		UUID       string    `db:"uuid"`
		Op         string    `db:"op"`
		Fields     []byte    `db:"fields"`
		ObservedAt time.Time `db:"observed_at"`
	}
	err = j.db.SelectContext(ctx, &rows, `
SELECT h.id, c.name AS cluster, h.kind, h.object_id, h.uuid, h.op, h.fields, h.observed_at
FROM changes h JOIN clusters c ON c.id = h.cluster_id
WHERE h.id > $1 AND h.kind IN ('vm', 'node', 'group', 'network') ORDER BY h.id`, j.log.Last())
	if err != nil {
		return fmt.Errorf("reading the changes: %w", err)
	}
	for _, r := range rows {
		fields, err := decodeFields(r.Fields)
		if err != nil {
			return err
		}
		e := Entry{
			ID: r.ID, Cluster: r.Cluster, Kind: r.Kind, UUID: r.UUID, Op: r.Op, ObjectID: r.ObjectID, ObservedAt: r.ObservedAt,
			Fields: fields,
		}
		e.keepColumns(columns[r.Kind])
		for _, wrong := range j.log.Add(e) {
			j.score.Losef(WrongChanges, "%s", wrong)
		}
		if e.Op == "removed" {
			j.checkRemoval(e)
		}
	}
	j.score.Looked("changes replayed", len(rows))
	return nil
}

// columns lists the columns of each kind's table.
func (j *Judge) columns(ctx context.Context) (map[string]map[string]bool, error) {
	columns := map[string]map[string]bool{}
	for _, spec := range kindSpecs() {
		var names []string
		err := j.db.SelectContext(ctx, &names,
			"SELECT column_name::text FROM information_schema.columns WHERE table_name = $1 AND column_name <> 'info'", spec.table)
		if err != nil {
			return nil, fmt.Errorf("listing the columns of %s: %w", spec.table, err)
		}
		columns[spec.kind] = map[string]bool{}
		for _, name := range names {
			columns[spec.kind][name] = true
		}
	}
	return columns, nil
}

// checkRemoval looks for the moment, from the start of the request on, at which the object really was not there.
func (j *Judge) checkRemoval(e Entry) {
	j.score.Looked("removals compared with the history", 1)
	for _, c := range j.world.Clusters {
		if c.Name != e.Cluster {
			continue
		}
		if gone, latest := c.held(e.Kind, e.UUID, "", e.ObservedAt, e.ObservedAt.Add(requestTime)); !gone {
			j.score.Losef(WrongTombstones, "change %d removed %s %s of %s as of %s, and it was there all the time; now: %s",
				e.ID, e.Kind, e.UUID, e.Cluster, e.ObservedAt, latest)
		}
	}
}
