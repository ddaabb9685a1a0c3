package main

import (
	"context"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
)

func (a *app) networksCommand() *cobra.Command {
	var o listOptions
	run := func(ctx context.Context, s *db.Store) error {
		l := lister[db.NetworkView]{
			options: &o,
			search: func(ctx context.Context, s *db.Store, which db.Tombstones, since *time.Time, after string) (db.Page[db.NetworkView], error) {
				return s.SearchNetworks(ctx, db.NetworkFilter{
					Clusters: o.clusters, Name: o.name, Tags: o.tags, TagPrefixes: o.tagPrefixes, ChangedSince: since,
					Tombstones: which, Sort: o.sort, Descending: o.descending, Limit: o.pageSize(), After: after,
				})
			},
			header: []any{"cluster", "name", "network", "gateway", "IPv6", "free", "reserved", "age"},
			row: func(v *db.NetworkView, now time.Time) table.Row {
				return table.Row{
					v.Cluster, v.Name, v.Network.Network, v.Gateway, v.Network6, number(v.FreeCount), number(v.ReservedCount),
					gone(v.DeletedAt, v.CachedAt, now),
				}
			},
			numbers: [2]int{6, 7},
		}
		return l.run(ctx, a, s)
	}
	return a.listCommand("networks", "List and search networks", "  updater networks --sort free_count", db.KindNetwork, &o, run)
}
