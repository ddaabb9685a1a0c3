package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
	"ganeticache/printable"
)

// recentChanges is how many changes of an object are shown with it.
const recentChanges = 20

func (a *app) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show everything about one VM, node or cluster",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.showVM(), a.showNode(), a.showCluster())
	return cmd
}

// shownCandidates bounds the objects that are listed when a name fits several.
const shownCandidates = 20

// showOptions are the flags of the show commands.
type showOptions struct {
	cluster string
	info    bool
}

func (a *app) showOne(use, short, example string, run func(ctx context.Context, s *db.Store, name string, o showOptions) error) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `: every column, the whole object with --info or --json, its recent changes and its age. NAME is a name, its first
part if that is enough, a uuid, or CLUSTER/NAME. If it matches several objects, they are listed.`,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withCache(cmd.Context(), func(s *db.Store) error { return run(cmd.Context(), s, args[0], o) })
		},
	}
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "look only in cluster `NAME`")
	cmd.Flags().BoolVar(&o.info, "info", false, "print the whole object as JSON too")
	a.jsonFlag(cmd)
	return cmd
}

// ref reads CLUSTER/NAME or NAME.
func (o showOptions) ref(name string) db.ObjectRef {
	ref := db.ObjectRef{Cluster: o.cluster, Name: name, Tombstones: true}
	if cluster, rest, ok := strings.Cut(name, "/"); ok && o.cluster == "" {
		ref.Cluster, ref.Name = cluster, rest
	}
	return ref
}

func (a *app) showVM() *cobra.Command {
	return a.showOne("vm NAME", "Show everything about one VM", "  updater show vm web1.example.org\n  updater show vm prod/web1 --json",
		func(ctx context.Context, s *db.Store, name string, o showOptions) error {
			v, err := findOne(ctx, o.ref(name),
				func(ref db.ObjectRef) (db.VMView, error) { return s.VM(ctx, ref, nil) },
				func(cluster []string, glob string) (db.Page[db.VMView], error) {
					return s.SearchVMs(ctx, db.VMFilter{Clusters: cluster, Name: glob, Limit: shownCandidates})
				},
				func(v *db.VMView) db.ObjectRef { return db.ObjectRef{Cluster: v.Cluster, Name: v.Name, UUID: v.UUID} })
			if err != nil {
				return err
			}
			return a.showObject(ctx, s, db.KindVM, v, v.Object, v.CachedAt, o)
		})
}

func (a *app) showNode() *cobra.Command {
	return a.showOne("node NAME", "Show everything about one node", "  updater show node node1.example.org --info",
		func(ctx context.Context, s *db.Store, name string, o showOptions) error {
			v, err := findOne(ctx, o.ref(name),
				func(ref db.ObjectRef) (db.NodeView, error) { return s.Node(ctx, ref) },
				func(cluster []string, glob string) (db.Page[db.NodeView], error) {
					return s.SearchNodes(ctx, db.NodeFilter{Clusters: cluster, Name: glob, Limit: shownCandidates})
				},
				func(v *db.NodeView) db.ObjectRef { return db.ObjectRef{Cluster: v.Cluster, Name: v.Name, UUID: v.UUID} })
			if err != nil {
				return err
			}
			return a.showObject(ctx, s, db.KindNode, v, v.Object, v.CachedAt, o)
		})
}

// findOne looks a name up, and then as the first part of a longer one, as Ganeti does.
func findOne[T any](
	_ context.Context, ref db.ObjectRef, get func(ref db.ObjectRef) (T, error),
	search func(cluster []string, glob string) (db.Page[T], error), refOf func(v *T) db.ObjectRef,
) (T, error) {
	v, err := get(ref)
	if !errors.Is(err, db.ErrNotFound) || strings.ContainsAny(ref.Name, "*?") {
		return v, err
	}
	var clusters []string
	if ref.Cluster != "" {
		clusters = []string{ref.Cluster}
	}
	page, searchErr := search(clusters, ref.Name+".*")
	if searchErr != nil || len(page.Items) == 0 {
		return v, errors.Join(err, searchErr)
	}
	if len(page.Items) == 1 {
		return get(refOf(&page.Items[0]))
	}
	ambiguous := &db.AmbiguousError{Name: ref.Name}
	for i := range page.Items {
		one := refOf(&page.Items[i])
		ambiguous.Candidates = append(ambiguous.Candidates, fmt.Sprintf("%s/%s (%s)", one.Cluster, one.Name, one.UUID))
	}
	return v, ambiguous
}

// showObject prints a row, its recent changes and its age.
func (a *app) showObject(ctx context.Context, s *db.Store, k db.Kind, view any, base db.Object, cachedAt *time.Time, o showOptions) error {
	changes, err := s.ChangesAfter(ctx, db.ChangeFilter{Kind: k, ObjectID: base.ID, Limit: recentChanges, Newest: true})
	if err != nil {
		return err
	}
	now := time.Now()
	if a.jsonOutput {
		out := map[string]any{string(k): view, "changes": changes}
		if cachedAt != nil {
			out["age_seconds"] = now.Sub(*cachedAt).Seconds()
		}
		return a.printJSON(out)
	}
	t := newTable(string(k), printable.Text(base.Name))
	if base.DeletedAt != nil {
		t.AppendRow(table.Row{"gone from Ganeti", rough(now.Sub(*base.DeletedAt)) + " ago"})
	}
	t.AppendRow(table.Row{"age", age(cachedAt, now)})
	for _, c := range csvColumns(reflect.ValueOf(view)) {
		if text := shownText(c.name, c.value); text != "" && c.name != "name" {
			t.AppendRow(table.Row{c.name, printable.Text(text)})
		}
	}
	var rest strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&rest, "\n%s  %s", local(c.ObservedAt), printable.Text(describe(c)))
	}
	if rest.Len() > 0 {
		rest.WriteString("\n")
	}
	if o.info {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, base.Info, "", "  "); err != nil {
			return fmt.Errorf("printing the object: %w", err)
		}
		rest.WriteString("\n" + pretty.String() + "\n")
	}
	return a.printf("%s\n%s", t.Render(), rest.String())
}

// shownText is a column's value for a person; what is unknown or empty is left out.
func shownText(column string, value any) string {
	if n, ok := value.(*int64); ok && strings.HasSuffix(column, "_mib") {
		return mib(n)
	}
	switch t := value.(type) {
	case time.Time:
		return local(t)
	case *time.Time:
		if t == nil {
			return ""
		}
		return local(*t)
	}
	return csvText(value)
}

func (a *app) showCluster() *cobra.Command {
	return a.showOne("cluster NAME", "Show everything about one cluster", "  updater show cluster prod",
		func(ctx context.Context, s *db.Store, name string, o showOptions) error {
			c, err := s.ClusterByName(ctx, name)
			if err != nil {
				return err
			}
			fresh, err := s.Freshness(ctx, c.ID)
			if err != nil {
				return err
			}
			sums, err := s.SumVMs(ctx, db.VMFilter{Clusters: []string{name}}, db.SumByStatus)
			if err != nil {
				return err
			}
			return a.printCluster(ctx, s, c, fresh, sums, o)
		})
}

func (a *app) printCluster(ctx context.Context, s *db.Store, c db.Cluster, fresh map[db.Kind]db.Freshness, sums []db.Sum, o showOptions) error {
	changes, err := s.ChangesAfter(ctx, db.ChangeFilter{Kind: db.KindCluster, ObjectID: c.ID, Limit: recentChanges, Newest: true})
	if err != nil {
		return err
	}
	now := time.Now()
	cachedAt := fresh[db.KindCluster].RefreshedAt
	if a.jsonOutput {
		out := map[string]any{"cluster": c, "vms_by_status": sums, "changes": changes}
		if cachedAt != nil {
			out["age_seconds"] = now.Sub(*cachedAt).Seconds()
		}
		return a.printJSON(out)
	}
	t := newTable("cluster", printable.Text(c.Name))
	t.AppendRow(table.Row{"age", age(cachedAt, now)})
	for _, col := range csvColumns(reflect.ValueOf(c)) {
		if text := shownText(col.name, col.value); text != "" && col.name != "name" {
			t.AppendRow(table.Row{col.name, printable.Text(text)})
		}
	}
	for _, k := range append([]db.Kind{db.KindCluster}, db.Kinds()...) {
		if f, ok := fresh[k]; ok {
			state := age(f.RefreshedAt, now)
			if f.Error != "" {
				state += "; " + f.Error
			}
			t.AppendRow(table.Row{"age of " + string(k) + "s", printable.Text(state)})
		}
	}
	for _, sum := range sums {
		t.AppendRow(table.Row{"VMs " + printable.Text(sum.Key), fmt.Sprintf("%d (%d vcpus, %s memory, %s disk)",
			sum.VMs, sum.VCPUs, mib(&sum.MemoryMiB), mib(&sum.DiskMiB))})
	}
	var rest strings.Builder
	for _, ch := range changes {
		fmt.Fprintf(&rest, "\n%s  %s", local(ch.ObservedAt), printable.Text(describe(ch)))
	}
	if o.info && c.Info != nil {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, c.Info, "", "  "); err != nil {
			return fmt.Errorf("printing the object: %w", err)
		}
		rest.WriteString("\n" + pretty.String())
	}
	if rest.Len() > 0 {
		rest.WriteString("\n")
	}
	return a.printf("%s\n%s", t.Render(), rest.String())
}
