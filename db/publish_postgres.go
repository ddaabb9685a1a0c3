package db

import (
	"context"
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
	var inserts []statement
	if e.loaded != "" {
		inserts = append(inserts, statement{insertLoaded(x.d, e.loaded, "turn, "), []any{e.kind, OpCreated, e.clusterID}})
	}
	for part := range slices.Chunk(e.rows, publishRows) {
		inserts = append(inserts, insertEntries(part))
	}
	var all idRange
	for i, s := range inserts {
		query := inTurn(s.query)
		if i == len(inserts)-1 {
			query += ", LATERAL pg_notify(?, ? || ids.last || '}')"
			s.args = append(s.args, Channel, payload)
		}
		var ids idRange
		if err := x.get(ctx, &ids, query, s.args...); err != nil {
			return all, err
		}
		if i == 0 {
			all.First = ids.First
		}
		all.Last = ids.Last
	}
	return all, nil
}

// inTurn runs an insert of rows from turn, after those of all who have appended before have become visible. The key of
// the lock is the oid of the table: unique in the database without claiming a number. An id is drawn for each row that
// the insert gets, and it gets none before the lock is held.
func inTurn(insert string) string {
	return `
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock('changes'::regclass::oid::bigint)),
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
		query: "INSERT INTO changes (" + strings.Join(columns, ", ") + ")\nSELECT " + values + "\nFROM turn, " + arrays + "\nORDER BY u.place",
		args:  arraysOf(fields, len(rows), func(i int) []any { return rows[i].pointers() }),
	}
}
