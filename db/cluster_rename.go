package db

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// RenameCluster gives a cluster another name. Its row stays the same, and with it all that refers to it: objects, changes,
// grants, leases, what is sealed, cursors. The change is an entry of its own in changes. A row of the new name that nothing
// was ever stored of, as one of a configuration that came first, makes way. The former name goes on leading to the row for
// configurations that are not up to date; see [Store.SyncClusters].
//
// ErrNotFound; ErrClusterExists when the new name is in use, also by a cluster that is frozen.
func (s *Store) RenameCluster(ctx context.Context, from, to string) error {
	err := s.editClusters(ctx, from, func(ctx context.Context, x *txn, row *Cluster) error {
		if row == nil {
			return formerly(ctx, x, from)
		}
		if err := makeWay(ctx, x, row, to); err != nil {
			return err
		}
		if _, err := x.exec(ctx, "UPDATE clusters SET name = ? WHERE id = ?", to, row.ID); err != nil {
			return err
		}
		if _, err := x.exec(ctx, "DELETE FROM cluster_former_names WHERE name = ?", to); err != nil {
			return fmt.Errorf("forgetting what the new name was: %w", err)
		}
		_, err := x.exec(ctx, `INSERT INTO cluster_former_names (name, cluster_id) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET cluster_id = excluded.cluster_id, renamed_at = excluded.renamed_at`, from, row.ID)
		if err != nil {
			return fmt.Errorf("keeping the former name: %w", err)
		}
		return s.noteName(ctx, x, row, to)
	})
	if err != nil {
		return fmt.Errorf("renaming cluster %q to %q: %w", from, to, err)
	}
	return nil
}

// formerly says that there is no such cluster, and what has become of it.
func formerly(ctx context.Context, x *txn, name string) error {
	var now []string
	query := "SELECT c.name FROM cluster_former_names f JOIN clusters c ON c.id = f.cluster_id WHERE f.name = ?"
	if err := x.all(ctx, &now, query, name); err != nil {
		return fmt.Errorf("looking whether the cluster was renamed: %w", err)
	}
	if len(now) == 0 {
		return ErrNotFound
	}
	return fmt.Errorf("%w; its name is %q now", ErrNotFound, now[0])
}

// makeWay frees the name, where nothing is lost by it.
func makeWay(ctx context.Context, x *txn, row *Cluster, to string) error {
	var there []Cluster
	if err := x.all(ctx, &there, selectClusters+" WHERE name = ?"+x.d.forUpdate, to); err != nil {
		return fmt.Errorf("reading the cluster of that name: %w", err)
	}
	if len(there) == 0 {
		return nil
	}
	other := &there[0]
	if other.ID == row.ID {
		return fmt.Errorf("%w: it is this one", ErrClusterExists)
	}
	empty := false
	if other.Source == SourceConfig && other.UUID == "" {
		if err := x.get(ctx, &empty, "SELECT NOT ("+belongings()+")", repeat(other.ID, strings.Count(belongings(), "?"))...); err != nil {
			return fmt.Errorf("looking what there is of the cluster of that name: %w", err)
		}
	}
	switch {
	case empty:
		_, err := x.exec(ctx, "DELETE FROM clusters WHERE id = ?", other.ID)
		return err
	case other.Source == SourceDatabase:
		return fmt.Errorf("%w, kept in the database; delete it for good with `updater clusters remove %s --purge`, or choose another name",
			ErrClusterExists, to)
	case other.Enabled:
		return fmt.Errorf("%w, with rows of its own; choose another name, or take it out of the configuration and then delete it for "+
			"good with `updater clusters remove %s --purge`", ErrClusterExists, to)
	default:
		return fmt.Errorf("%w: it was removed or left the configuration, and its rows are kept; delete them for good with "+
			"`updater clusters remove %s --purge`, or choose another name", ErrClusterExists, to)
	}
}

// belongings is a condition: something refers to a cluster that would be lost with its row. Each placeholder is its id.
func belongings() string {
	tables := []string{"permissions", "quarantine"}
	for _, k := range kindTables() {
		tables = append(tables, k.name)
	}
	for i, t := range tables {
		tables[i] = "EXISTS (SELECT 1 FROM " + t + " WHERE cluster_id = ?)"
	}
	return strings.Join(tables, " OR ")
}

func repeat(id int64, n int) []any {
	args := make([]any, n)
	for i := range args {
		args[i] = id
	}
	return args
}

// noteName tells of the new name in changes, if there is a cluster to tell of.
func (s *Store) noteName(ctx context.Context, x *txn, row *Cluster, to string) error {
	if row.Info == nil {
		return nil
	}
	at := time.Now()
	if x.d.readClock != "" {
		if err := x.get(ctx, &at, x.d.readClock); err != nil {
			return fmt.Errorf("reading the database's clock: %w", err)
		}
	}
	a := &applier{x: x, epoch: s.epoch, snap: &Snapshot{ClusterID: row.ID, Kind: KindCluster, StartedAt: cleanTime(at)}}
	a.note(OpRenamed, row.ID, &Object{UUID: row.UUID, Name: to}, map[string]FieldChange{"name": {Old: row.Name, New: to}})
	return a.publish(ctx)
}
