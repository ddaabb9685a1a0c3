package main

import (
	"context"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
)

func (a *app) groupsCommand() *cobra.Command {
	var o listOptions
	var node string
	run := func(ctx context.Context, s *db.Store) error {
		l := lister[db.GroupView]{
			options: &o, doubtful: db.GroupFilter{Node: node},
			search: func(ctx context.Context, s *db.Store, which db.Tombstones, since *time.Time, after string) (db.Page[db.GroupView], error) {
				return s.SearchGroups(ctx, db.GroupFilter{
					Clusters: o.clusters, Name: o.name, Node: node, Tags: o.tags, TagPrefixes: o.tagPrefixes, ChangedSince: since,
					Tombstones: which, Sort: o.sort, Descending: o.descending, Limit: o.pageSize(), After: after,
				})
			},
			header: []any{"cluster", "name", "allocation", "nodes", "age"},
			row: func(v *db.GroupView, now time.Time) table.Row {
				return table.Row{v.Cluster, v.Name, v.AllocPolicy, number(v.NodeCount), gone(v.DeletedAt, v.CachedAt, now)}
			},
			numbers: [2]int{4, 4},
		}
		return l.run(ctx, a, s)
	}
	cmd := a.listCommand("groups", "List and search node groups", "  updater groups --cluster prod --json", db.KindGroup, &o, run)
	cmd.Flags().StringVar(&node, "node", "", "only the one with node `NAME`")
	return cmd
}
