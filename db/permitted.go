package db

import (
	"context"
	"fmt"
	"slices"
)

// Permitted restricts a search to what somebody may see: what any of the Subjects (a user and its groups, say) was
// granted. A grant on a cluster covers the cluster and everything in it; a grant on a VM covers that VM alone. A nil
// *Permitted restricts nothing; one without subjects permits nothing.
type Permitted struct {
	Subjects []string
	// Permission is the one that is asked for; "" is satisfied by any permission at all.
	Permission string
}

// granted is a condition on permissions p: the row grants what is asked for. Its arguments come with it.
func (p *Permitted) granted(d *dialect) (string, []any) {
	// "" is no subject (the table refuses it), and a list would pass it on as NULL.
	subjects := slices.DeleteFunc(slices.Clone(p.Subjects), func(s string) bool { return s == "" })
	for i, s := range subjects {
		subjects[i] = cleanText(s)
	}
	condition, args := d.in("p.subject"), []any{d.list(subjects)}
	if p.Permission != "" {
		condition += " AND p.permission = ?"
		args = append(args, cleanText(p.Permission))
	}
	return condition, args
}

// sql is a condition on the rows of virtual_machines (or of the view vms, whose columns have the same names), known in
// the query as vmTable, and its arguments. It is a whole: it needs no parentheses around it.
func (p *Permitted) sql(d *dialect, vmTable string) (string, []any) {
	return p.objectSQL(d, vmTable+".cluster_id", vmTable+".id", "")
}

// clusterSQL is a condition on anything that belongs to a cluster as a whole (the cluster, its nodes, groups, networks
// and jobs), given the column with the cluster's id: a grant on a VM tells nothing of them.
func (p *Permitted) clusterSQL(d *dialect, clusterColumn string) (string, []any) {
	if p == nil {
		return "true", nil
	}
	granted, args := p.granted(d)
	return clusterColumn + " IN (SELECT p.cluster_id FROM permissions p WHERE p.cluster_id IS NOT NULL AND " + granted + ")", args
}

// changeSQL is a condition on the rows of changes, known in the query as changesTable. The history of a purged VM is
// left to those with a grant on its cluster.
func (p *Permitted) changeSQL(d *dialect, changesTable string) (string, []any) {
	return p.objectSQL(d, changesTable+".cluster_id", changesTable+".object_id", changesTable+".kind = '"+string(KindVM)+"' AND ")
}

// objectSQL permits what is in a permitted cluster, or is a permitted VM. onlyIf is a condition that makes the row one of
// a VM, with its AND.
func (p *Permitted) objectSQL(d *dialect, clusterColumn, vmColumn, onlyIf string) (string, []any) {
	if p == nil {
		return "true", nil
	}
	cluster, args := p.clusterSQL(d, clusterColumn)
	granted, more := p.granted(d)
	// Two subqueries and no join: the planner hashes each once, and a VM with several grants is not listed twice.
	return "(" + cluster + " OR " + onlyIf + vmColumn +
		" IN (SELECT p.vm_id FROM permissions p WHERE p.vm_id IS NOT NULL AND " + granted + "))", append(args, more...)
}

// Allowed says whether p permits the VM with this row id, tombstones included.
func (s *Store) Allowed(ctx context.Context, p Permitted, vmID int64) (bool, error) {
	condition, args := p.sql(s.d, "v")
	var found []int64
	if err := s.read(ctx, &found, "SELECT v.id FROM virtual_machines v WHERE v.id = ? AND "+condition,
		append([]any{vmID}, args...)...); err != nil {
		return false, fmt.Errorf("looking up the permissions on VM %d: %w", vmID, err)
	}
	return len(found) > 0, nil
}
