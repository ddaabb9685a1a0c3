package db

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// publishRows is how many entries one statement appends: more would be in memory three times.
const publishRows = 1000

// postgresPublish appends the entries and notifies, all in one statement unless they are many: other transactions wait for
// their turn to append until this one has committed, and each answer that this process waits for meanwhile is time of
// theirs.
func postgresPublish(ctx context.Context, x *txn, e *entries) (idRange, error) {
	payload := `{"cluster_id":` + strconv.FormatInt(e.clusterID, 10) + `,"kind":"` + string(e.kind) + `","change_id":`
	if e.empty() {
		_, err := x.exec(ctx, "SELECT pg_notify(?, ?)", Channel, payload+"0}")
		return idRange{}, err
	}
	parts := slices.Collect(slices.Chunk(e.rows, publishRows))
	var all idRange
	if e.loaded != "" {
		s := statement{insertLoaded(x.d, e.loaded, "turn, ", "turn.recorded_at"), []any{e.kind, OpCreated, e.clusterID}}
		if err := all.add(ctx, x, s, payload, len(parts) == 0); err != nil {
			return all, err
		}
	}
	for i, part := range parts {
		if err := e.complete(ctx, x, part); err != nil {
			return all, err
		}
		if err := all.add(ctx, x, insertEntries(part), payload, i == len(parts)-1); err != nil {
			return all, err
		}
		release(part)
	}
	return all, nil
}

// add runs an insert in its turn, and notifies with the last one.
func (r *idRange) add(ctx context.Context, x *txn, s statement, payload string, last bool) error {
	query := inTurn(s.query)
	if last {
		query += ", LATERAL pg_notify(?, ? || ids.last || '}')"
		s.args = append(s.args, Channel, payload)
	}
	var ids idRange
	if err := x.get(ctx, &ids, query, s.args...); err != nil {
		return err
	}
	if ids.First == 0 {
		return errNoTurn
	}
	r.First, r.Last = cmp.Or(r.First, ids.First), ids.Last
	return nil
}

// errNoTurn can only come of somebody's hand.
var errNoTurn = errors.New("the table change_log has lost its row: INSERT INTO change_log DEFAULT VALUES")

// inTurn runs an insert of rows from turn, after those of all who have appended before have become visible: until the commit
// the row of change_log is locked. An id is drawn for each row that the insert gets, and it gets none before the lock is
// held, nor the time.
func inTurn(insert string) string {
	return `
WITH turn AS (UPDATE change_log SET recorded_at = greatest(recorded_at, clock_timestamp()) RETURNING recorded_at),
appended AS (
` + insert + `
RETURNING id)
SELECT ids.first, ids.last
FROM (SELECT coalesce(min(id), 0) AS first, coalesce(max(id), 0) AS last FROM appended) AS ids`
}

func insertEntries(rows []changeRow) statement {
	columns, fields := changeColumns(), new(changeRow).pointers()
	values, arrays := unnest(columns, fields)
	return statement{
		query: "INSERT INTO changes (" + strings.Join(columns, ", ") + ", recorded_at)\nSELECT " + values +
			", turn.recorded_at\nFROM turn, " + arrays + "\nORDER BY u.place",
		args: arraysOf(fields, len(rows), func(i int) []any { return rows[i].pointers() }),
	}
}
