package db

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ClusterInfo is one complete answer about the cluster itself.
type ClusterInfo struct {
	ClusterID int64
	StartedAt time.Time
	// Ticket is as in Snapshot.
	Ticket   int64
	Duration time.Duration
	Bytes    int64
	// NextDue is when the kind is due again; zero is stored as NULL.
	NextDue                                       time.Time
	UUID, GanetiName, SoftwareVersion, MasterNode string
	Tags                                          List
	Info                                          JSON
	Digest                                        [16]byte
	// AllowDuplicate is as in Cluster, where the row does not say so yet.
	AllowDuplicate bool
	// Lease, DryRun and Explain are as in Snapshot.
	Lease           *Lease
	DryRun, Explain bool
}

const lockCluster = selectClusters + " WHERE id = ?"

const updateInfo = `
UPDATE clusters
SET uuid = ?, ganeti_name = ?, software_version = ?, master_node = ?, tags = ?, info = ?, digest = ?, observed_at = ?, ticket = ?
WHERE id = ?`

// ApplyInfo stores what a cluster says about itself. The first answer fixes the cluster's uuid; later ones with another
// uuid give ErrOtherCluster and change nothing. A uuid that another row has gives a [DuplicateError], unless this row's
// AllowDuplicate says otherwise: of two names of one Ganeti cluster exactly one gets it, whoever asks at the same time.
// ErrConflict when a newer answer is on record; ErrDisabled, ErrNotFound, ErrLeaseLost.
func (s *Store) ApplyInfo(ctx context.Context, in ClusterInfo) (Outcome, error) {
	in.StartedAt = cleanTime(in.StartedAt)
	var out Outcome
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		a := &applier{x: x, epoch: s.epoch, snap: &Snapshot{
			ClusterID: in.ClusterID, Kind: KindCluster, StartedAt: in.StartedAt, Ticket: in.Ticket, Duration: in.Duration, Bytes: in.Bytes,
			Objects: 1, NextDue: in.NextDue, DryRun: in.DryRun, Explain: in.Explain,
		}}
		var err error
		if a.remake, err = s.remaker(ctx, x, "clusters"); err != nil {
			return err
		}
		err = a.runInfo(ctx, &in)
		out = a.out
		return err
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("applying the info of cluster %d: %w", in.ClusterID, err)
	}
	return out, nil
}

func (a *applier) runInfo(ctx context.Context, in *ClusterInfo) error {
	var err error
	if a.locked, err = lockKind(ctx, a.x, kindLock{clusterID: in.ClusterID, kind: KindCluster, lease: in.Lease}); err != nil {
		return err
	}
	switch newer, err := a.newer(ctx, a.locked.SnapshotTicket); {
	case err != nil:
		return err
	case newer:
		return fmt.Errorf("a newer answer was applied: %w", ErrConflict)
	}
	if a.locked.UUID == "" {
		// Before the row, as do those who edit it.
		if err := lockNames(ctx, a.x); err != nil {
			return err
		}
	}
	var old Cluster
	if err := a.x.get(ctx, &old, lockCluster+a.x.d.forUpdate, in.ClusterID); err != nil {
		return fmt.Errorf("reading the cluster: %w", err)
	}
	old.Info = a.modernInfo(old.Info)
	if old.UUID != "" && old.UUID != in.UUID {
		return fmt.Errorf("uuid %s is on record, %q came: %w", old.UUID, in.UUID, ErrOtherCluster)
	}
	old.AllowDuplicate = old.AllowDuplicate || in.AllowDuplicate
	if err := refuseTwin(ctx, a.x, &old, in.UUID); err != nil {
		return err
	}
	if err := a.writeInfo(ctx, &old, in); err != nil {
		return err
	}
	return a.finish(ctx, Decision{})
}

// writeInfo updates the row if the answer is new, and notes a change if it means something new.
func (a *applier) writeInfo(ctx context.Context, old *Cluster, in *ClusterInfo) error {
	if slices.Equal(old.Digest, in.Digest[:]) {
		return nil
	}
	for _, p := range []*string{&in.UUID, &in.GanetiName, &in.SoftwareVersion, &in.MasterNode} {
		cleanField(p)
	}
	cleanField(&in.Tags)
	base := &Object{UUID: in.UUID, Name: old.Name}
	switch fields := clusterDifferences(old, in); {
	case old.Info == nil:
		a.note(OpCreated, old.ID, base, nil)
	case old.GanetiName != in.GanetiName:
		a.note(OpRenamed, old.ID, base, fields)
	case len(fields) > 0:
		a.note(OpUpdated, old.ID, base, fields)
	}
	n, err := a.x.exec(ctx, updateInfo, in.UUID, in.GanetiName, in.SoftwareVersion, in.MasterNode,
		a.x.d.argument(&in.Tags), a.x.d.argument(&in.Info), in.Digest[:], in.StartedAt, in.Ticket, old.ID)
	if err != nil {
		return fmt.Errorf("writing the cluster: %w", err)
	}
	a.out.RowsWritten += n
	return nil
}

// clusterRules: each change of any object of the cluster moves its mtime.
func clusterRules() infoRules {
	return infoRules{
		leftOut: map[string]bool{"mtime": true},
		copies: []infoCopy{
			{key: "name", column: "ganeti_name"},
			{key: "software_version", column: "software_version"},
			{key: "master", column: "master_node"},
			{key: "tags", column: "tags"},
		},
	}
}

// clusterDifferences returns the columns and the parts of info that differ.
func clusterDifferences(old *Cluster, in *ClusterInfo) map[string]FieldChange {
	fields := make(map[string]FieldChange)
	for _, c := range []struct {
		name   string
		before any
		after  any
	}{
		{"ganeti_name", &old.GanetiName, &in.GanetiName},
		{"software_version", &old.SoftwareVersion, &in.SoftwareVersion},
		{"master_node", &old.MasterNode, &in.MasterNode},
	} {
		if !sameField(c.before, c.after) {
			fields[c.name] = FieldChange{Old: shownField(c.before), New: shownField(c.after)}
		}
	}
	if !sameSet(old.Tags, in.Tags) {
		fields["tags"] = FieldChange{Old: shownField(&old.Tags), New: shownField(&in.Tags)}
	}
	if old.Info != nil {
		rules := clusterRules()
		addInfo(fields, old.Info, in.Info, &rules)
	}
	return fields
}
