package db

import (
	"context"
	"fmt"
)

// VisibleClusters names the clusters of which p permits anything. True stands for the whole cluster, false for some of
// its VMs, tombstones included. A nil p permits all.
func (s *Store) VisibleClusters(ctx context.Context, p *Permitted) (map[string]bool, error) {
	whole, args := p.clusterSQL(s.d, "c.id")
	where := "true"
	if p != nil {
		granted, more := p.granted(s.d)
		where = "c.id IN (SELECT p.cluster_id FROM permissions p WHERE p.cluster_id IS NOT NULL AND " + granted + ")" +
			" OR c.id IN (SELECT v.cluster_id FROM permissions p JOIN virtual_machines v ON v.id = p.vm_id WHERE " + granted + ")"
		args = append(append(args, more...), more...)
	}
	var rows []struct {
		Name  string `db:"name"`
		Whole bool   `db:"whole"`
	}
	query := "SELECT c.name, (" + whole + ") AS whole FROM clusters c WHERE " + where
	if err := s.read(ctx, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("reading the permitted clusters: %w", err)
	}
	visible := make(map[string]bool, len(rows))
	for _, r := range rows {
		visible[r.Name] = r.Whole
	}
	return visible, nil
}

// LastChange returns the id of the newest entry in changes, 0 without any. It reads the end of an index.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	var id int64
	if err := s.reader.GetContext(ctx, &id, "SELECT coalesce(max(id), 0) FROM changes"); err != nil {
		return 0, fmt.Errorf("reading the last change: %w", err)
	}
	return id, nil
}
