package db

import (
	"context"
	"fmt"
	"time"
)

// guardCounts is what the guard counts between complete answers.
type guardCounts struct {
	// Singles were removed one by one since the complete answer of SinglesOf.
	Singles   int        `db:"singles"`
	SinglesOf *time.Time `db:"singles_of"`
	// LiveBefore is how many rows were live when removals began to be withheld.
	LiveBefore int `db:"live_before"`
}

func (a *applier) guardCounts(ctx context.Context) (guardCounts, error) {
	var rows []guardCounts
	query := "SELECT singles, singles_of, live_before FROM guard_counts WHERE cluster_id = ? AND kind = ?"
	if err := a.x.all(ctx, &rows, query, a.snap.ClusterID, a.snap.Kind); err != nil {
		return guardCounts{}, fmt.Errorf("reading what the guard counts: %w", err)
	}
	if len(rows) == 0 {
		return guardCounts{}, nil
	}
	c := rows[0]
	cleanField(&c.SinglesOf)
	if at := a.locked.SnapshotAt; (at == nil) != (c.SinglesOf == nil) || at != nil && !at.Equal(*c.SinglesOf) {
		c.Singles = 0 // a complete answer has told of all since
	}
	return c, nil
}

func (a *applier) saveGuardCounts(ctx context.Context, c guardCounts) error {
	_, err := a.x.exec(ctx, `
INSERT INTO guard_counts (cluster_id, kind, singles, singles_of, live_before) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (cluster_id, kind) DO UPDATE
SET singles = excluded.singles, singles_of = excluded.singles_of, live_before = excluded.live_before`,
		a.snap.ClusterID, a.snap.Kind, c.Singles, a.locked.SnapshotAt, c.LiveBefore)
	if err != nil {
		return fmt.Errorf("writing what the guard counts: %w", err)
	}
	return nil
}

// countLive counts the live rows of the kind.
func (a *applier) countLive(ctx context.Context) (int, error) {
	var live int
	query := "SELECT count(*) FROM " + a.t.name + " WHERE cluster_id = ? AND deleted_at IS NULL"
	if err := a.x.get(ctx, &live, query, a.snap.ClusterID); err != nil {
		return 0, fmt.Errorf("counting live rows: %w", err)
	}
	return live, nil
}

// bound finds out how many objects may be created. There is a bound only while removals are withheld: then whatever an
// answer does not list stays, and a cluster that shows other objects each time would add to the rows without end.
func (a *applier) bound(ctx context.Context) error {
	if a.snap.MaxLive == nil || a.locked.Pending.Count == 0 {
		return nil
	}
	counts, err := a.guardCounts(ctx)
	if err != nil {
		return err
	}
	live, err := a.countLive(ctx)
	if err != nil {
		return err
	}
	if counts.LiveBefore == 0 { // withheld by an older program
		counts.LiveBefore = live
	}
	a.bounded, a.room = true, a.snap.MaxLive(counts.LiveBefore, a.snap.Objects)-live
	return nil
}

// refused says whether there is no room for a new object, and notes it if so.
func (a *applier) refused(uuid string) bool {
	if !a.bounded {
		return false
	}
	if a.room <= 0 {
		a.out.Refused = append(a.out.Refused, uuid)
		return true
	}
	a.room--
	return false
}

// removeOne tombstones an object that the cluster said it does not have, unless that is for a complete answer to confirm.
func (a *applier) removeOne(ctx context.Context, o Observation) error {
	absent, err := a.absent(ctx)
	if err != nil || len(absent) == 0 {
		return err
	}
	if o.Guard == nil {
		return a.tombstone(ctx, absent)
	}
	if a.locked.Pending.Count > 0 {
		a.out.Withheld, a.out.Error, a.out.Reason = keysOf(absent), a.locked.Error, a.locked.ErrorReason
		return nil
	}
	counts, err := a.guardCounts(ctx)
	if err != nil {
		return err
	}
	live, err := a.countLive(ctx)
	if err != nil {
		return err
	}
	if d := o.Guard(Removals{Live: live + counts.Singles, Absent: keysOf(absent), Singles: counts.Singles}); !d.Allow {
		a.out.Withheld = keysOf(absent)
		return nil
	}
	counts.Singles++
	if err := a.saveGuardCounts(ctx, counts); err != nil {
		return err
	}
	return a.tombstone(ctx, absent)
}

// fits says whether an object that was asked about alone may become a row: a cluster that tells of another one each time
// is asked for a complete answer.
func (a *applier) fits(ctx context.Context, o Observation) (bool, error) {
	if o.MaxLive == nil || o.Item.Row == nil {
		return true, nil
	}
	var known bool
	query := "SELECT EXISTS (SELECT 1 FROM " + a.t.name + " WHERE cluster_id = ? AND uuid = ?)"
	if err := a.x.get(ctx, &known, query, a.snap.ClusterID, cleanText(o.Item.Row.Base().UUID)); err != nil {
		return false, fmt.Errorf("looking for the row: %w", err)
	}
	if known {
		return true, nil
	}
	counts, err := a.guardCounts(ctx)
	if err != nil {
		return false, err
	}
	live, err := a.countLive(ctx)
	if err != nil {
		return false, err
	}
	before := 0
	if a.locked.Pending.Count > 0 {
		before = counts.LiveBefore
		a.out.Error, a.out.Reason = a.locked.Error, a.locked.ErrorReason
	}
	if live < o.MaxLive(before, int(a.locked.Objects)) {
		a.out.Error, a.out.Reason = "", ""
		return true, nil
	}
	a.out.Refused = []string{o.key()}
	return false, nil
}
