package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
	"ganeticache/printable"
)

func (a *app) jobsCommand() *cobra.Command {
	var o listOptions
	var statuses []string
	run := func(ctx context.Context, s *db.Store) error {
		l := lister[db.JobView]{
			options: &o, doubtful: db.JobFilter{Statuses: statuses},
			search: func(ctx context.Context, s *db.Store, which db.Tombstones, since *time.Time, after string) (db.Page[db.JobView], error) {
				return s.SearchJobs(ctx, db.JobFilter{
					Clusters: o.clusters, Name: o.name, Statuses: statuses, ChangedSince: since, Tombstones: which,
					Sort: o.sort, Descending: o.descending, Limit: o.pageSize(), After: after,
				})
			},
			header: []any{"cluster", "job", "status", "what", "received", "took", "age"},
			row: func(v *db.JobView, now time.Time) table.Row {
				return table.Row{
					v.Cluster, v.UUID, v.Status, short(v.Name), age(v.ReceivedAt, now), took(v.StartedAt, v.EndedAt),
					gone(v.DeletedAt, v.CachedAt, now),
				}
			},
			numbers: [2]int{2, 2},
		}
		if err := l.run(ctx, a, s); err != nil {
			return err
		}
		remarks, err := s.JobsNotCached(ctx, o.clusters)
		for _, r := range remarks {
			fmt.Fprintf(a.stderr, "updater: %s\n", printable.Text(r.Text))
		}
		return err
	}
	cmd := a.listCommand("jobs", "List and search jobs, newest first", `  updater jobs --status error --changed-since 7d
  updater jobs --name '*(web1.example.org)'`, db.KindJob, &o, run)
	cmd.Flags().StringArrayVar(&statuses, "status", nil,
		"only those with `STATUS`: queued, waiting, running, canceling, canceled, success or error; may be repeated: any of them")
	return cmd
}

// took is how long something ran, "" while it does.
func took(from, to *time.Time) string {
	if from == nil || to == nil {
		return ""
	}
	return rough(to.Sub(*from))
}
