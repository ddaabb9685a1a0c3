package db

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// OwnerTag says which tags of a VM grant a permission on it. Grants that follow from tags have the source SourceTag, and
// Apply keeps those of the VMs that it writes in step with their tags, in its own transaction. It never touches others.
type OwnerTag struct {
	// Pattern must match the whole tag. The group named "subject", else the first one, else the whole tag is the subject.
	Pattern *regexp.Regexp
	// Permission is what the tag grants, unless the pattern has a group named "permission" that matched.
	Permission string
}

// wholeTags makes each pattern match whole tags only: "owner:(.+)" must not be found in "former-owner:alice".
func wholeTags(owners []OwnerTag) ([]OwnerTag, error) {
	whole := make([]OwnerTag, len(owners))
	for i, o := range owners {
		if o.Pattern == nil {
			return nil, errors.New("an owner tag has no pattern")
		}
		re, err := regexp.Compile(`\A(?:` + o.Pattern.String() + `)\z`)
		if err != nil {
			return nil, fmt.Errorf("compiling the pattern of an owner tag: %w", err)
		}
		whole[i] = OwnerTag{Pattern: re, Permission: o.Permission}
	}
	return whole, nil
}

// tagGrant is a grant that a tag gives.
type tagGrant struct {
	VMID       int64  `db:"vm_id"`
	Subject    string `db:"subject"`
	Permission string `db:"permission"`
}

// grant returns what a tag gives; false when it gives nothing.
func (o OwnerTag) grant(tag string) (subject, permission string, ok bool) {
	match := o.Pattern.FindStringSubmatch(tag)
	if match == nil {
		return "", "", false
	}
	subject, permission = match[0], o.Permission
	if len(match) > 1 {
		subject = match[1]
	}
	if i := o.Pattern.SubexpIndex("subject"); i >= 0 {
		subject = match[i]
	}
	if i := o.Pattern.SubexpIndex("permission"); i >= 0 && match[i] != "" {
		permission = match[i]
	}
	g := Grant{Subject: subject, Permission: permission}
	return subject, permission, g.check() == nil
}

// tagGrants returns what the tags of a VM grant, each once.
func tagGrants(owners []OwnerTag, vmID int64, tags []string) map[tagGrant]bool {
	grants := make(map[tagGrant]bool)
	for _, tag := range tags {
		for _, o := range owners {
			if subject, permission, ok := o.grant(tag); ok {
				grants[tagGrant{VMID: vmID, Subject: subject, Permission: permission}] = true
			}
		}
	}
	return grants
}

// syncOwners brings the grants from tags into step with the tags that this transaction wrote. A removed VM keeps its tags,
// and with them its grants, until its row is purged.
func (a *applier) syncOwners(ctx context.Context) error {
	if len(a.owners) == 0 || a.snap.Kind != KindVM {
		return nil
	}
	if a.cold {
		_, err := syncTagGrants(ctx, a.x, a.owners, a.snap.ClusterID, nil)
		return err
	}
	for part := range slices.Chunk(a.tagged, chunkRows) {
		if _, err := syncTagGrants(ctx, a.x, a.owners, a.snap.ClusterID, part); err != nil {
			return err
		}
	}
	return nil
}

// syncTagGrants does it for the VMs with these uuids, or for all of the cluster if uuids is nil, and returns the number of
// grants written. The caller has the lock of the cluster's VMs.
func syncTagGrants(ctx context.Context, x *txn, owners []OwnerTag, clusterID int64, uuids []string) (int64, error) {
	where, args := "v.cluster_id = ?", []any{clusterID}
	if uuids != nil {
		where += " AND " + x.d.in("v.uuid")
		args = append(args, x.d.list(uuids))
	}
	var vms []struct {
		ID   int64 `db:"id"`
		Tags List  `db:"tags"`
	}
	if err := x.all(ctx, &vms, "SELECT v.id, v.tags FROM virtual_machines v WHERE "+where+" ORDER BY v.id", args...); err != nil {
		return 0, fmt.Errorf("reading tags: %w", err)
	}
	var have []struct {
		ID int64 `db:"id"`
		tagGrant
	}
	query := "SELECT p.id, p.vm_id, p.subject, p.permission FROM permissions p JOIN virtual_machines v ON v.id = p.vm_id" +
		" WHERE p.source = '" + SourceTag + "' AND " + where
	if err := x.all(ctx, &have, query, args...); err != nil {
		return 0, fmt.Errorf("reading the permissions from tags: %w", err)
	}
	known := make(map[tagGrant]int64, len(have))
	for _, h := range have {
		known[h.tagGrant] = h.ID
	}
	var missing []tagGrant
	for _, vm := range vms {
		for g := range tagGrants(owners, vm.ID, vm.Tags) {
			if _, ok := known[g]; ok {
				delete(known, g)
				continue
			}
			missing = append(missing, g)
		}
	}
	for g, id := range known {
		if _, err := x.exec(ctx, "DELETE FROM permissions WHERE id = ?", id); err != nil {
			return 0, fmt.Errorf("removing a permission of VM %d: %w", g.VMID, err)
		}
	}
	if err := insertTagGrants(ctx, x, missing); err != nil {
		return 0, fmt.Errorf("adding %d permissions from tags: %w", len(missing), err)
	}
	return int64(len(known) + len(missing)), nil
}

func insertTagGrants(ctx context.Context, x *txn, grants []tagGrant) error {
	if len(grants) == 0 {
		return nil
	}
	columns := []string{"vm_id", "subject", "permission", "source"}
	source := SourceTag
	if len(grants) <= valuesRows {
		args := make([]any, 0, len(grants)*len(columns))
		for i := range grants {
			args = append(args, grants[i].VMID, grants[i].Subject, grants[i].Permission, source)
		}
		_, err := x.exec(ctx, valuesStatement("permissions", columns, len(grants), ""), args...)
		return err
	}
	load, err := x.d.load(ctx, x, "permissions", columns)
	if err != nil {
		return err
	}
	for i := range grants {
		if err := load.add(ctx, []any{&grants[i].VMID, &grants[i].Subject, &grants[i].Permission, &source}); err != nil {
			return joinClose(ctx, err, load)
		}
	}
	return load.close(ctx)
}

// SyncOwnerTags brings the grants from tags into step with the tags of every VM on record, those of disabled clusters and
// tombstones included, and returns the number of grants added and removed. It is needed after Options.OwnerTags changed:
// Apply looks only at the VMs that it writes. Without OwnerTags it removes every grant that came from a tag.
func (s *Store) SyncOwnerTags(ctx context.Context) (int64, error) {
	clusters, err := s.Clusters(ctx)
	if err != nil {
		return 0, err
	}
	var written int64
	for _, c := range clusters {
		var n int64
		err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
			// The lock of everything that writes VMs of this cluster. Where there is no such row, there is no VM.
			var locked []int64
			query := "SELECT cluster_id FROM freshness WHERE cluster_id = ? AND kind = ?" + x.d.forUpdate
			if err := x.all(ctx, &locked, query, c.ID, KindVM); err != nil {
				return fmt.Errorf("locking the freshness: %w", err)
			}
			var err error
			n, err = syncTagGrants(ctx, x, s.owners, c.ID, nil)
			return err
		})
		if err != nil {
			return written, fmt.Errorf("bringing the permissions from tags of cluster %s up to date: %w", c.Name, err)
		}
		written += n
	}
	return written, nil
}
