package main

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
	"ganeticache/printable"
)

// changesOptions are the flags of updater changes.
type changesOptions struct {
	kind, cluster, object, since string
	after                        int64
	limit                        int
	csv                          bool
}

func (a *app) changesCommand() *cobra.Command {
	var o changesOptions
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "Show what was created, updated, renamed, removed, restored and purged",
		Long: `changes shows the newest entries of the log of changes. With --after it shows everything since that entry: the id of
the last entry is the next --after, and nothing is missed or shown twice.`,
		Example: `  updater changes --object web1.example.org
  updater changes --kind vm --changed-since 24h --limit 1000
  updater changes --after 4711 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.csv && a.jsonOutput {
				return errors.New("--csv and --json exclude each other")
			}
			newest := !cmd.Flags().Changed("after")
			return a.withCache(cmd.Context(), func(s *db.Store) error { return o.run(cmd.Context(), a, s, newest) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "", "only those of `KIND`: cluster, vm, node, group, network or job")
	f.StringVar(&o.cluster, "cluster", "", "only those of cluster `NAME`")
	f.StringVar(&o.object, "object", "", "only those of the object with the name or uuid `NAME`, under any name it has had")
	f.StringVar(&o.since, "changed-since", "", "only those since `TIME`: a duration (90m, 7d), a date or an RFC 3339 time")
	f.Int64Var(&o.after, "after", 0, "only those after the entry with this `ID`, oldest first")
	f.IntVar(&o.limit, "limit", 0, "at most `N` (default 50, at most 1000)")
	f.BoolVar(&o.csv, "csv", false, "print comma-separated values")
	a.jsonFlag(cmd)
	cmd.AddCommand(a.forgetCommand())
	return cmd
}

func (o *changesOptions) run(ctx context.Context, a *app, s *db.Store, newest bool) error {
	f := db.ChangeFilter{
		After: o.after, Limit: o.limit, Kind: db.Kind(o.kind), Cluster: o.cluster, Object: o.object, Newest: newest,
	}
	now := time.Now()
	if o.since != "" {
		t, err := parseSince(o.since, now)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		f.Since = &t
	}
	if o.cluster != "" {
		if err := (&listOptions{clusters: []string{o.cluster}}).checkClusters(ctx, s); err != nil {
			return err
		}
	}
	changes, err := s.ChangesAfter(ctx, f)
	switch {
	case err != nil:
		return err
	case a.jsonOutput:
		return a.printJSON(changes)
	case o.csv:
		return a.printCSV(flatten(changes))
	case len(changes) == 0:
		return a.printf("nothing found\n")
	}
	t := newTable("id", "when", "cluster", "what")
	for _, c := range changes {
		t.AppendRow(table.Row{strconv.FormatInt(c.ID, 10), local(c.ObservedAt), printable.Text(c.Cluster), printable.Text(describe(c))})
	}
	t.SetColumnConfigs(alignRight(1, 1))
	return a.printf("%s\n", t.Render())
}

// local is a time as a person at the machine's clock reads it.
func local(t time.Time) string { return t.Local().Format(time.DateTime) }

// flatChange is a change as --csv prints it.
type flatChange struct {
	ID         int64     `json:"id"`
	Cluster    string    `json:"cluster"`
	Kind       db.Kind   `json:"kind"`
	ObjectID   int64     `json:"object_id"`
	UUID       string    `json:"uuid"`
	Name       string    `json:"name"`
	Op         db.Op     `json:"op"`
	Fields     string    `json:"fields"`
	ObservedAt time.Time `json:"observed_at"`
	RecordedAt time.Time `json:"recorded_at"`
	Object     string    `json:"object"`
}

func flatten(changes []db.Change) []flatChange {
	flat := make([]flatChange, len(changes))
	for i, c := range changes {
		flat[i] = flatChange{
			ID: c.ID, Cluster: c.Cluster, Kind: c.Kind, ObjectID: c.ObjectID, UUID: c.UUID, Name: c.Name, Op: c.Op,
			ObservedAt: c.ObservedAt, RecordedAt: c.RecordedAt, Object: string(c.Object),
		}
		if len(c.Fields) > 0 {
			if text, err := json.Marshal(c.Fields); err == nil {
				flat[i].Fields = string(text)
			}
		}
	}
	return flat
}
