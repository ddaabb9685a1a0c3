package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrWithheldChanged means that other removals are withheld than those that were shown.
var ErrWithheldChanged = errors.New("what is withheld is no longer what was shown; look at it again")

// WithheldObject is an object whose removal is withheld.
type WithheldObject struct {
	UUID string `db:"uuid" json:"uuid"`
	Name string `db:"name" json:"name"`
}

// WithheldSet is what the guard withholds of a kind.
type WithheldSet struct {
	Kind Kind `db:"kind" json:"kind"`
	// Count is how many removals are withheld, Digest a hash that tells which.
	Count  int    `db:"pending_count" json:"count"`
	Digest string `db:"pending_digest" json:"digest"`
	// Since is when the answer began that has lacked the objects last.
	Since *time.Time `db:"snapshot_at" json:"snapshot_at"`
	// Objects are those that are lacking, by name. They are fewer than Count where an older program withheld them, until the
	// next answer.
	Objects []WithheldObject `db:"-" json:"objects"`
}

// Withheld returns what the guard withholds of a cluster at this moment, by kind. ErrNotFound.
func (s *Store) Withheld(ctx context.Context, name string) ([]WithheldSet, error) {
	var sets []WithheldSet
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		row, err := clusterNamed(ctx, x, name)
		if err != nil {
			return err
		}
		sets, err = withheld(ctx, x, row.ID, "")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is withheld of cluster %q: %w", name, err)
	}
	return sets, nil
}

func clusterNamed(ctx context.Context, x *txn, name string) (Cluster, error) {
	var rows []Cluster
	if err := x.all(ctx, &rows, selectClusters+" WHERE name = ?", name); err != nil {
		return Cluster{}, fmt.Errorf("reading the cluster: %w", err)
	}
	if len(rows) == 0 {
		return Cluster{}, ErrNotFound
	}
	return rows[0], nil
}

func withheld(ctx context.Context, x *txn, clusterID int64, lock string) ([]WithheldSet, error) {
	sets := []WithheldSet{}
	query := "SELECT kind, pending_count, pending_digest, snapshot_at FROM freshness WHERE cluster_id = ? AND pending_count > 0 ORDER BY kind"
	if err := x.all(ctx, &sets, query+lock, clusterID); err != nil {
		return nil, fmt.Errorf("reading what is withheld: %w", err)
	}
	for i := range sets {
		cleanField(&sets[i].Since)
		sets[i].Objects = []WithheldObject{}
		err := x.all(ctx, &sets[i].Objects, "SELECT uuid, name FROM withheld_removals WHERE cluster_id = ? AND kind = ? ORDER BY name, uuid",
			clusterID, sets[i].Kind)
		if err != nil {
			return nil, fmt.Errorf("reading the %ss that are withheld: %w", sets[i].Kind, err)
		}
	}
	return sets, nil
}

// ApproveRemovals approves what is withheld of a cluster at this moment, and returns it: the next complete answer of each
// kind may remove these objects, and no others. Nothing is returned when nothing is withheld. ErrNotFound, ErrDisabled.
func (s *Store) ApproveRemovals(ctx context.Context, name string) ([]WithheldSet, error) {
	return s.approve(ctx, name, func([]WithheldSet) error { return nil })
}

// ApproveShown is ApproveRemovals for what Withheld has shown. ErrWithheldChanged, when other objects are withheld by now:
// nothing is approved then.
func (s *Store) ApproveShown(ctx context.Context, name string, shown []WithheldSet) ([]WithheldSet, error) {
	return s.approve(ctx, name, func(now []WithheldSet) error {
		same := slices.EqualFunc(now, shown, func(a, b WithheldSet) bool {
			return a.Kind == b.Kind && a.Digest == b.Digest && slices.Equal(a.Objects, b.Objects)
		})
		if !same {
			return ErrWithheldChanged
		}
		return nil
	})
}

func (s *Store) approve(ctx context.Context, name string, check func(now []WithheldSet) error) ([]WithheldSet, error) {
	var approved []WithheldSet
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		row, err := clusterNamed(ctx, x, name)
		if err != nil {
			return err
		}
		if !row.Enabled {
			return ErrDisabled
		}
		// Locked, so that no answer takes another set in between.
		if approved, err = withheld(ctx, x, row.ID, x.d.forUpdate); err != nil {
			return err
		}
		if err := check(approved); err != nil {
			return err
		}
		for _, set := range approved {
			if _, err := x.exec(ctx, "UPDATE withheld_removals SET approved = true WHERE cluster_id = ? AND kind = ?", row.ID, set.Kind); err != nil {
				return fmt.Errorf("approving: %w", err)
			}
			_, err := x.exec(ctx, "UPDATE freshness SET approved_count = ? WHERE cluster_id = ? AND kind = ?",
				len(set.Objects), row.ID, set.Kind)
			if err != nil {
				return fmt.Errorf("approving: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("approving the removals of cluster %q: %w", name, err)
	}
	return approved, nil
}

// approved takes those among the absent rows whose removal the operator has approved. An approval is good for one answer:
// whatever has happened to the cluster since, an object that was not shown is never removed by it.
func (a *applier) approved(ctx context.Context, absent []absentRow) (approved, rest []absentRow, err error) {
	if a.locked.Approved == 0 || a.snap.Guard == nil {
		return nil, absent, nil
	}
	a.locked.Approved = 0
	var uuids []string
	query := "SELECT uuid FROM withheld_removals WHERE cluster_id = ? AND kind = ? AND approved"
	if err := a.x.all(ctx, &uuids, query, a.snap.ClusterID, a.snap.Kind); err != nil {
		return nil, nil, fmt.Errorf("reading the approved removals: %w", err)
	}
	shown := make(map[string]bool, len(uuids))
	for _, uuid := range uuids {
		shown[uuid] = true
	}
	for _, row := range absent {
		if shown[row.UUID] {
			approved = append(approved, row)
		} else {
			rest = append(rest, row)
		}
	}
	return approved, rest, nil
}

// keepWithheld notes which removals are withheld, where they are others than before.
func (a *applier) keepWithheld(ctx context.Context, p Pending, rows []absentRow) error {
	where := " FROM withheld_removals WHERE cluster_id = ? AND kind = ?"
	if p.Digest == a.locked.Pending.Digest {
		var n int
		if err := a.x.get(ctx, &n, "SELECT count(*)"+where+" AND NOT approved", a.snap.ClusterID, a.snap.Kind); err != nil {
			return fmt.Errorf("counting what is withheld: %w", err)
		}
		if n == len(rows) {
			return nil
		}
	}
	if _, err := a.x.exec(ctx, "DELETE"+where, a.snap.ClusterID, a.snap.Kind); err != nil {
		return fmt.Errorf("forgetting what was withheld: %w", err)
	}
	columns := []string{"cluster_id", "kind", "uuid", "name"}
	for part := range slices.Chunk(rows, valuesRows) {
		args := make([]any, 0, len(columns)*len(part))
		for _, row := range part {
			args = append(args, a.snap.ClusterID, a.snap.Kind, row.UUID, row.Name)
		}
		if _, err := a.x.exec(ctx, valuesStatement("withheld_removals", columns, len(part), ""), args...); err != nil {
			return fmt.Errorf("noting what is withheld: %w", err)
		}
	}
	return nil
}

// forgetWithheld drops the notes of what was withheld, once nothing is.
func (a *applier) forgetWithheld(ctx context.Context) error {
	if a.locked.Pending.Count == 0 {
		return nil
	}
	_, err := a.x.exec(ctx, "DELETE FROM withheld_removals WHERE cluster_id = ? AND kind = ?", a.snap.ClusterID, a.snap.Kind)
	if err != nil {
		return fmt.Errorf("forgetting what was withheld: %w", err)
	}
	return nil
}
