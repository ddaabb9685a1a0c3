package main

import (
	"context"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
)

// nodeOptions are the flags of updater nodes.
type nodeOptions struct {
	listOptions
	roles                              []string
	group, ip                          string
	memory, memoryFree, disk, diskFree string
	cpus                               string
}

func (a *app) nodesCommand() *cobra.Command {
	var o nodeOptions
	cmd := a.listCommand("nodes", "List and search nodes", `  updater nodes --cluster prod
  updater nodes --memory-free 64G.. --sort memory_free_mib --desc
  updater nodes --role offline --role drained`, db.KindNode, &o.listOptions,
		func(ctx context.Context, s *db.Store) error { return o.run(ctx, a, s) })
	f := cmd.Flags()
	f.StringArrayVar(&o.roles, "role", nil, "only those with `ROLE`: master, candidate, regular, drained or offline; may be repeated: any of them")
	f.StringVar(&o.group, "group", "", "only those of node group `NAME`")
	f.StringVar(&o.ip, "ip", "", "only the one with address `IP`, primary or secondary")
	f.StringVar(&o.memory, "memory", "", "only those with memory in `RANGE`: 64G, 64G.., ..256G, 64G..256G; without a unit MiB")
	f.StringVar(&o.memoryFree, "memory-free", "", "only those with free memory in `RANGE`")
	f.StringVar(&o.disk, "disk", "", "only those with disk space in `RANGE`")
	f.StringVar(&o.diskFree, "disk-free", "", "only those with free disk space in `RANGE`")
	f.StringVar(&o.cpus, "cpus", "", "only those with CPUs in `RANGE`: 16, 16.., ..64, 16..64")
	return cmd
}

func (o *nodeOptions) filter(which db.Tombstones, since *time.Time, after string) (db.NodeFilter, error) {
	f := db.NodeFilter{
		Clusters: o.clusters, Name: o.name, Roles: o.roles, Group: o.group, IP: o.ip, Tags: o.tags, TagPrefixes: o.tagPrefixes,
		ChangedSince: since, Tombstones: which, Sort: o.sort, Descending: o.descending, Limit: o.pageSize(), After: after,
	}
	return f, parseRanges([]rangeFlag{
		{"memory", o.memory, db.MiB, &f.MemoryTotal},
		{"memory-free", o.memoryFree, db.MiB, &f.MemoryFree},
		{"disk", o.disk, db.MiB, &f.DiskTotal},
		{"disk-free", o.diskFree, db.MiB, &f.DiskFree},
		{"cpus", o.cpus, db.Pieces, &f.CPUs},
	})
}

func (o *nodeOptions) run(ctx context.Context, a *app, s *db.Store) error {
	doubtful, err := o.filter(o.tombstones(), nil, "")
	if err != nil {
		return err
	}
	l := lister[db.NodeView]{
		options: &o.listOptions, doubtful: doubtful,
		search: func(ctx context.Context, s *db.Store, which db.Tombstones, since *time.Time, after string) (db.Page[db.NodeView], error) {
			f, err := o.filter(which, since, after)
			if err != nil {
				return db.Page[db.NodeView]{}, err
			}
			return s.SearchNodes(ctx, f)
		},
		header: []any{"cluster", "name", "role", "CPUs", "memory", "free", "disk", "free", "VMs", "age"},
		row: func(v *db.NodeView, now time.Time) table.Row {
			return table.Row{
				v.Cluster, v.Name, roleName(v.Role), number(v.CPUs), mib(v.MemoryTotalMiB), mib(v.MemoryFreeMiB),
				mib(v.DiskTotalMiB), mib(v.DiskFreeMiB), number(v.PrimaryInstances), gone(v.DeletedAt, v.CachedAt, now),
			}
		},
		numbers: [2]int{4, 9},
	}
	return l.run(ctx, a, s)
}

// roleName spells a node's role out; an unknown letter stays as it is.
func roleName(role string) string {
	names := map[string]string{"M": "master", "C": "candidate", "R": "regular", "D": "drained", "O": "offline"}
	if name, ok := names[role]; ok {
		return name
	}
	return role
}
