package db

import (
	"context"
	"fmt"
	"strings"
)

// SumBy says what sums are grouped by.
type SumBy string

// The groupings of SumVMs. By tag, a VM counts once for each of its tags; by node, for its primary one.
const (
	SumTotal     SumBy = ""
	SumByCluster SumBy = "cluster"
	SumByNode    SumBy = "node"
	SumByOS      SumBy = "os"
	SumByTag     SumBy = "tag"
	SumByStatus  SumBy = "status"
)

// Sum is the VMs of one group together. Unknown sizes count as 0.
type Sum struct {
	Key       string `db:"key" json:"key"`
	VMs       int64  `db:"vms" json:"vms"`
	VCPUs     int64  `db:"vcpus" json:"vcpus"`
	MemoryMiB int64  `db:"memory_mib" json:"memory_mib"`
	DiskMiB   int64  `db:"disk_mib" json:"disk_mib"`
}

// SumVMs adds up the VMs that pass the filter, by key; its order and page are ignored. Without any VM, and for SumTotal
// too, there is no sum. ErrBadFilter.
func (s *Store) SumVMs(ctx context.Context, f VMFilter, by SumBy) ([]Sum, error) {
	f.Sort, f.After, f.Limit = "id", "", 0
	q, err := s.newSearch(ctx, KindVM, f.common(), f.conditions)
	if err != nil {
		return nil, err
	}
	var key, join string
	switch by {
	case SumTotal:
		key = "''"
	case SumByCluster:
		key, join = "c.name", "JOIN clusters c ON c.id = v.cluster_id"
	case SumByNode:
		key = "v.primary_node"
	case SumByOS:
		key = "v.os"
	case SumByStatus:
		key = "v.status"
	case SumByTag:
		key, join = "e.value", "CROSS JOIN "+s.d.search.elements("v.tags")
	default:
		return nil, badFilter("sum", "%q is none of cluster, node, os, tag and status", shorten(string(by)))
	}
	leader, err := q.lead(ctx)
	if err != nil {
		return nil, err
	}
	where, args := q.where(leader, branch{cond: -1})
	if by == SumByTag {
		where += " AND e.value IS NOT NULL"
	}
	total := func(column string) string {
		return "CAST(coalesce(sum(v." + column + "), 0) AS BIGINT) AS " + column
	}
	query := "SELECT " + key + " AS key, count(*) AS vms, " +
		strings.Join([]string{total("vcpus"), total("memory_mib"), total("disk_mib")}, ", ") +
		"\nFROM virtual_machines v " + join + "\nWHERE " + where
	if by != SumTotal {
		query += "\nGROUP BY " + key + "\nORDER BY " + key + s.d.search.bytewise
	}
	sums := []Sum{}
	if err := s.read(ctx, &sums, query, args...); err != nil {
		return nil, fmt.Errorf("adding up the VMs: %w", err)
	}
	if len(sums) == 1 && sums[0].VMs == 0 {
		sums = sums[:0]
	}
	return sums, nil
}
