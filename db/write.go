package db

import (
	"context"
	"fmt"
)

// difference is what of a chunk has to be written.
type difference struct {
	clusterID int64
	// upserts write the rows that are new or changed.
	upserts []statement
	// created are the new ones among them.
	created []Row
	// same are those whose digest alone is another.
	same []Row
}

// statement is written with ? placeholders.
type statement struct {
	query string
	args  []any
}

// written is what came of writing a difference.
type written struct {
	rows    int64
	created []Row
	ids     map[string]int64 // of created
	err     error
	panic   any
}

// store writes the difference. It changes nothing of the applier's, which goes on comparing meanwhile.
func (d *difference) store(ctx context.Context, x *txn, t *table) (written, error) {
	s := written{created: d.created}
	for _, one := range d.upserts {
		n, err := x.exec(ctx, one.query, one.args...)
		if err != nil {
			return s, fmt.Errorf("writing rows: %w", err)
		}
		s.rows += n
	}
	if len(d.same) > 0 {
		if err := x.d.setDigests(ctx, x, t, d.clusterID, d.same); err != nil {
			return s, fmt.Errorf("updating digests: %w", err)
		}
		s.rows += int64(len(d.same))
	}
	var err error
	s.ids, err = d.ids(ctx, x, t)
	return s, err
}

// ids reads those that the new rows got.
func (d *difference) ids(ctx context.Context, x *txn, t *table) (map[string]int64, error) {
	if len(d.created) == 0 {
		return nil, nil
	}
	var ids []struct {
		ID   int64  `db:"id"`
		UUID string `db:"uuid"`
	}
	query := "SELECT id, uuid FROM " + t.name + " WHERE cluster_id = ? AND " + x.d.in("uuid")
	if err := x.all(ctx, &ids, query, d.clusterID, x.d.list(uuidsOf(d.created))); err != nil {
		return nil, fmt.Errorf("reading the ids of new rows: %w", err)
	}
	byUUID := make(map[string]int64, len(ids))
	for _, i := range ids {
		byUUID[i.UUID] = i.ID
	}
	return byUUID, nil
}

func uuidsOf(rows []Row) []string {
	uuids := make([]string, len(rows))
	for i, row := range rows {
		uuids[i] = row.Base().UUID
	}
	return uuids
}

// startWriting has a difference written in a goroutine of its own. Until settle nothing else may use the transaction.
func (a *applier) startWriting(ctx context.Context, d *difference) {
	done := make(chan written, 1)
	a.writing = done
	go func() {
		var s written
		defer func() {
			s.panic = recover()
			done <- s
		}()
		s, s.err = d.store(ctx, a.x, a.t)
	}()
}

// settle waits for what is being written, and counts it. A panic there is the applier's.
func (a *applier) settle() error {
	if a.writing == nil {
		return nil
	}
	s := <-a.writing
	a.writing = nil
	if s.panic != nil {
		panic(s.panic)
	}
	if s.err != nil {
		return s.err
	}
	a.out.RowsWritten += s.rows
	for _, row := range s.created {
		a.note(OpCreated, s.ids[row.Base().UUID], row.Base(), nil)
	}
	return nil
}
