package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ReasonUnreadable is the error reason stored when an item without a readable key withholds removals.
const ReasonUnreadable = "quarantine"

// reasonGuard is stored when a Guard gives no reason.
const reasonGuard = "removals_withheld"

// remove tombstones what the snapshot no longer has, if that is certain and the guard lets it. Afterwards
// Outcome.Withheld has the keys that were kept; the decision then says why.
func (a *applier) remove(ctx context.Context) (Decision, error) {
	absent, err := a.absent(ctx)
	if err != nil || len(absent) == 0 {
		return Decision{}, err
	}
	if a.keyless > 0 {
		a.out.Withheld = keysOf(absent)
		return Decision{
			Pending: a.locked.Pending,
			Reason:  ReasonUnreadable,
			Error: strconv.Itoa(len(absent)) + " removals withheld: the uuid of " + strconv.Itoa(a.keyless) +
				" items cannot be read (see the table quarantine)",
		}, nil
	}
	approved, rest, err := a.approved(ctx, absent)
	if err != nil || len(rest) == 0 {
		return Decision{}, errors.Join(err, a.tombstone(ctx, approved))
	}
	decision, err := a.decide(ctx, rest, len(approved))
	if err != nil {
		return Decision{}, err
	}
	if decision.Allow {
		return decision, a.tombstone(ctx, absent)
	}
	if err := a.tombstone(ctx, approved); err != nil {
		return Decision{}, err
	}
	a.out.Withheld = keysOf(rest)
	return decision, a.keepWithheld(ctx, decision.Pending, rest)
}

// absentRow is a live row that the snapshot does not have.
type absentRow struct {
	Object
}

func keysOf(rows []absentRow) []string {
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.UUID
	}
	return keys
}

// absent returns the live rows among the missing keys that no item of the snapshot accounts for, sorted by key. Rows
// observed after the snapshot began are not absent, they are newer.
func (a *applier) absent(ctx context.Context) ([]absentRow, error) {
	var keys []string
	for _, key := range a.snap.Missing {
		if _, seen := a.keys[key]; !seen && key != "" {
			keys = append(keys, key)
		}
	}
	var absent []absentRow
	query := "SELECT id, uuid, name, ticket, observed_at FROM " + a.t.name +
		" WHERE cluster_id = ? AND deleted_at IS NULL AND " + a.x.d.in("uuid") + " ORDER BY uuid"
	for part := range slices.Chunk(keys, chunkRows) {
		var rows []absentRow
		if err := a.x.all(ctx, &rows, query, a.snap.ClusterID, a.x.d.list(part)); err != nil {
			return nil, fmt.Errorf("reading the rows of absent objects: %w", err)
		}
		for _, r := range rows {
			newer, err := a.newer(ctx, r.Ticket)
			if err != nil {
				return nil, err
			}
			if newer {
				a.out.Skipped = append(a.out.Skipped, r.UUID)
				continue
			}
			absent = append(absent, r)
		}
	}
	slices.SortFunc(absent, func(p, q absentRow) int { return strings.Compare(p.UUID, q.UUID) })
	return absent, nil
}

// decide asks the guard about what is absent beside the approved.
func (a *applier) decide(ctx context.Context, absent []absentRow, approved int) (Decision, error) {
	if a.snap.Guard == nil {
		return Decision{Allow: true}, nil
	}
	live, err := a.countLive(ctx)
	if err != nil {
		return Decision{}, err
	}
	live -= a.out.Created + a.out.Restored
	decision := a.snap.Guard(Removals{
		Live:    live,
		Absent:  keysOf(absent),
		Pending: a.locked.Pending, Approved: approved, Refused: len(a.out.Refused),
	})
	if decision.Allow {
		return decision, nil
	}
	if decision.Error == "" {
		decision.Error = strconv.Itoa(len(absent)) + " removals withheld"
		decision.Reason = reasonGuard
	}
	return decision, a.beginWithholding(ctx, live)
}

// beginWithholding remembers how many objects there were before.
func (a *applier) beginWithholding(ctx context.Context, live int) error {
	counts, err := a.guardCounts(ctx)
	if err != nil {
		return err
	}
	if a.locked.Pending.Count > 0 && counts.LiveBefore > 0 {
		return nil
	}
	counts.LiveBefore = live
	return a.saveGuardCounts(ctx, counts)
}

// tombstone marks the rows removed; ids, permissions and content stay.
func (a *applier) tombstone(ctx context.Context, rows []absentRow) error {
	query := "UPDATE " + a.t.name + " SET deleted_at = ?, observed_at = ?, ticket = ? WHERE cluster_id = ? AND deleted_at IS NULL AND " +
		a.x.d.in("uuid")
	for part := range slices.Chunk(rows, chunkRows) {
		n, err := a.x.exec(ctx, query, a.snap.StartedAt, a.snap.StartedAt, a.snap.Ticket, a.snap.ClusterID, a.x.d.list(keysOf(part)))
		if err != nil {
			return fmt.Errorf("removing %d objects: %w", len(part), err)
		}
		a.out.RowsWritten += n
	}
	for i := range rows {
		a.note(OpRemoved, rows[i].ID, &rows[i].Object, nil)
	}
	return nil
}
