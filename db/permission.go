package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Where a grant comes from. The values are part of the SQL contract.
const (
	// SourceGrant is a grant given by hand or by an application.
	SourceGrant = "grant"
	// SourceTag is a grant that follows an owner tag in Ganeti; see OwnerTag.
	SourceTag = "tag"
)

// maxGrantText bounds subjects and permissions, in bytes: longer ones do not fit into an index of PostgreSQL.
const maxGrantText = 512

// ErrBadGrant means that a grant names no subject or no permission, or one that cannot be stored.
var ErrBadGrant = errors.New("not a grant")

// Grant is a row of permissions: the subject may do what the permission stands for, with a VM or with everything in a
// cluster. What subjects (users, groups) and permissions are called is the application's choice. A grant belongs to the
// row of its VM: it stays through refreshes, renames, migrations, removal and return, and goes when the row is purged.
type Grant struct {
	ID         int64  `db:"id" json:"id"`
	Subject    string `db:"subject" json:"subject"`
	Permission string `db:"permission" json:"permission"`
	// Cluster is the cluster's name, also for a grant on a VM.
	Cluster string `db:"cluster" json:"cluster"`
	// VMID is nil for a grant on the whole cluster.
	VMID *int64 `db:"vm_id" json:"vm_id"`
	// VM is the VM's name, "" for a grant on the whole cluster. Grant and Revoke take its uuid as well.
	VM string `db:"vm" json:"vm"`
	// Source is SourceGrant or SourceTag.
	Source string `db:"source" json:"source"`
}

// GrantFilter chooses grants; empty fields choose all.
type GrantFilter struct {
	Subject, Permission, Cluster string
	// VM is a name or uuid; the grants on its whole cluster are not among the chosen ones.
	VM     string
	Source string
}

const selectGrants = `
SELECT p.id, p.subject, p.permission, c.name AS cluster, p.vm_id, coalesce(v.name, '') AS vm, p.source
FROM permissions p
LEFT JOIN virtual_machines v ON v.id = p.vm_id
JOIN clusters c ON c.id = coalesce(p.cluster_id, v.cluster_id)
WHERE 1 = 1`

// Grants returns the chosen grants, those on tombstones included, by subject, permission, cluster and VM.
func (s *Store) Grants(ctx context.Context, f GrantFilter) ([]Grant, error) {
	var query strings.Builder
	query.WriteString(selectGrants)
	args := []any{}
	for _, c := range []struct{ value, condition string }{
		{f.Subject, "p.subject = ?"},
		{f.Permission, "p.permission = ?"},
		{f.Cluster, "c.name = ?"},
		{f.Source, "p.source = ?"},
	} {
		if c.value != "" {
			query.WriteString(" AND " + c.condition)
			args = append(args, cleanText(c.value))
		}
	}
	if f.VM != "" {
		query.WriteString(" AND (v.name = ? OR v.uuid = ?)")
		args = append(args, cleanText(f.VM), cleanText(f.VM))
	}
	query.WriteString(" ORDER BY p.subject, p.permission, c.name, 6, p.id")
	grants := []Grant{}
	if err := s.read(ctx, &grants, query.String(), args...); err != nil {
		return nil, fmt.Errorf("reading the permissions: %w", err)
	}
	return grants, nil
}

// Grant gives a permission; it reports false when that very grant is there already. The cluster is given by its name; a
// VM, if any, by VMID or by its name or uuid in VM. ID and Source are not looked at. ErrNotFound, ErrBadGrant,
// *AmbiguousError.
func (s *Store) Grant(ctx context.Context, g Grant) (bool, error) {
	added, err := s.changeGrant(ctx, g, func(ctx context.Context, x *txn, clusterID, vmID any) (int64, error) {
		return x.exec(ctx, "INSERT INTO permissions (subject, permission, cluster_id, vm_id, source) VALUES (?, ?, ?, ?, '"+
			SourceGrant+"') ON CONFLICT DO NOTHING", g.Subject, g.Permission, clusterID, vmID)
	})
	if err != nil {
		return false, fmt.Errorf("granting %q to %q: %w", g.Permission, g.Subject, err)
	}
	return added, nil
}

// Revoke takes a grant back; it reports false when there is none. It is like Grant otherwise. What follows from a tag
// goes with the tag alone.
func (s *Store) Revoke(ctx context.Context, g Grant) (bool, error) {
	removed, err := s.changeGrant(ctx, g, func(ctx context.Context, x *txn, clusterID, vmID any) (int64, error) {
		column, id := "cluster_id", clusterID
		if vmID != nil {
			column, id = "vm_id", vmID
		}
		return x.exec(ctx, "DELETE FROM permissions WHERE subject = ? AND permission = ? AND source = '"+SourceGrant+"' AND "+
			column+" = ?", g.Subject, g.Permission, id)
	})
	if err != nil {
		return false, fmt.Errorf("revoking %q from %q: %w", g.Permission, g.Subject, err)
	}
	return removed, nil
}

// changeGrant finds what the grant is about and runs the change; one of the two ids is nil.
func (s *Store) changeGrant(ctx context.Context, g Grant,
	change func(ctx context.Context, x *txn, clusterID, vmID any) (int64, error),
) (changed bool, err error) {
	if err := g.check(); err != nil {
		return false, err
	}
	err = s.inTx(ctx, func(ctx context.Context, x *txn) error {
		var cluster []int64
		if err := x.all(ctx, &cluster, "SELECT id FROM clusters WHERE name = ?", cleanText(g.Cluster)); err != nil {
			return fmt.Errorf("looking for the cluster: %w", err)
		}
		if len(cluster) == 0 {
			return fmt.Errorf("cluster %q: %w", g.Cluster, ErrNotFound)
		}
		var clusterID, vmID any = cluster[0], nil
		if g.VM != "" || g.VMID != nil {
			id, err := findVM(ctx, x, cluster[0], g)
			if err != nil {
				return err
			}
			clusterID, vmID = nil, id
		}
		n, err := change(ctx, x, clusterID, vmID)
		changed = n > 0
		return err
	})
	return changed, err
}

// check refuses what cannot be stored as it is: a subject must never be changed into another.
func (g *Grant) check() error {
	for _, f := range []struct{ what, text string }{{"subject", g.Subject}, {"permission", g.Permission}} {
		switch {
		case f.text == "":
			return fmt.Errorf("the %s is empty: %w", f.what, ErrBadGrant)
		case len(f.text) > maxGrantText:
			return fmt.Errorf("the %s has %d bytes, at most %d are possible: %w", f.what, len(f.text), maxGrantText, ErrBadGrant)
		case cleanText(f.text) != f.text:
			return fmt.Errorf("the %s is not UTF-8 text: %w", f.what, ErrBadGrant)
		}
	}
	return nil
}

// findVM finds a VM of the cluster by id, uuid or name; tombstones count where no live VM has the name.
func findVM(ctx context.Context, x *txn, clusterID int64, g Grant) (int64, error) {
	var found []struct {
		ID   int64  `db:"id"`
		UUID string `db:"uuid"`
		Name string `db:"name"`
		Rank int    `db:"rank"`
	}
	query := `
SELECT id, uuid, name, CASE WHEN uuid = ? THEN 0 WHEN deleted_at IS NULL THEN 1 ELSE 2 END AS rank
FROM virtual_machines WHERE cluster_id = ? AND (uuid = ? OR name = ?) ORDER BY 4, id`
	name := cleanText(g.VM)
	args := []any{name, clusterID, name, name}
	if g.VMID != nil {
		query = "SELECT id, uuid, name, 0 AS rank FROM virtual_machines WHERE cluster_id = ? AND id = ?"
		args = []any{clusterID, *g.VMID}
	}
	if err := x.all(ctx, &found, query, args...); err != nil {
		return 0, fmt.Errorf("looking for the VM: %w", err)
	}
	switch {
	case len(found) == 0 && g.VMID != nil:
		return 0, fmt.Errorf("VM %d of cluster %q: %w", *g.VMID, g.Cluster, ErrNotFound)
	case len(found) == 0:
		return 0, fmt.Errorf("VM %q of cluster %q: %w", g.VM, g.Cluster, ErrNotFound)
	case len(found) > 1 && found[1].Rank == found[0].Rank:
		var candidates []string
		for _, f := range found {
			if f.Rank == found[0].Rank && len(candidates) < maxCandidates {
				candidates = append(candidates, g.Cluster+"/"+f.Name+" ("+f.UUID+")")
			}
		}
		return 0, &AmbiguousError{Name: g.Cluster + "/" + g.VM, Candidates: candidates}
	}
	return found[0].ID, nil
}
