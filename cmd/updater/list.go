package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ganeticache/db"
	"ganeticache/printable"
)

// listOptions are the flags that all lists share.
type listOptions struct {
	clusters, tags, tagPrefixes []string
	name                        string
	changedSince                string
	deleted, withDeleted        bool
	sort                        string
	descending                  bool
	limit                       int
	after                       string
	all                         bool
	csv                         bool
}

func (o *listOptions) flags(f *pflag.FlagSet, kind db.Kind) {
	f.StringArrayVar(&o.clusters, "cluster", nil, "only those of cluster `NAME`; may be repeated: any of them")
	f.StringVar(&o.name, "name", "", "only those with the name `NAME`, or a glob such as 'web*' or 'db-?.example.org'")
	if kind != db.KindJob {
		f.StringArrayVar(&o.tags, "tag", nil, "only those with tag `TAG`; may be repeated: all of them")
		f.StringArrayVar(&o.tagPrefixes, "tag-prefix", nil, "only those with a tag that begins with `TEXT`; may be repeated: all of them")
	}
	f.StringVar(&o.changedSince, "changed-since", "", "only those that changed since `TIME`: a duration (90m, 7d), a date or an RFC 3339 time")
	f.BoolVar(&o.deleted, "deleted", false, "only those that are gone from Ganeti")
	f.BoolVar(&o.withDeleted, "with-deleted", false, "those that are gone from Ganeti as well")
	f.StringVar(&o.sort, "sort", "", "sort by `COLUMN`, as --json names it")
	f.BoolVar(&o.descending, "desc", false, "greatest first")
	f.IntVar(&o.limit, "limit", 0, fmt.Sprintf("at most `N` (default %d, at most %d)", db.DefaultLimit, db.MaxLimit))
	f.StringVar(&o.after, "after", "", "continue after `CURSOR`, which ends the previous page")
	f.BoolVar(&o.all, "all", false, "print all pages, one after the other")
	f.BoolVar(&o.csv, "csv", false, "print comma-separated values")
}

// check finds what contradicts itself.
func (o *listOptions) check(a *app) error {
	switch {
	case o.deleted && o.withDeleted:
		return errors.New("--deleted and --with-deleted exclude each other")
	case o.csv && a.jsonOutput:
		return errors.New("--csv and --json exclude each other")
	case o.all && (o.limit != 0 || o.after != ""):
		return errors.New("--all shows every page; --limit and --after choose one")
	case o.limit < 0:
		return errors.New("--limit: a number from 1 to " + strconv.Itoa(db.MaxLimit))
	}
	return nil
}

// checkEmpty refuses filters that were given without a value, as a script does whose variable is empty: they would choose
// everything. The cursor may be empty, that of the first page is.
func checkEmpty(f *pflag.FlagSet) error {
	var errs []error
	f.VisitAll(func(flag *pflag.Flag) {
		empty := flag.Changed && flag.Value.String() == ""
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			empty = flag.Changed && slices.Contains(list.GetSlice(), "")
		}
		if empty && flag.Name != "after" {
			errs = append(errs, fmt.Errorf("--%s: the value is empty; give one, or leave the flag out", flag.Name))
		}
	})
	return errors.Join(errs...)
}

func (o *listOptions) tombstones() db.Tombstones {
	switch {
	case o.deleted:
		return db.TombstonesOnly
	case o.withDeleted:
		return db.WithTombstones
	}
	return db.LiveOnly
}

// pageSize is the limit; with --all, what one query fetches.
func (o *listOptions) pageSize() int {
	if o.all {
		return db.MaxLimit
	}
	return o.limit
}

// since reads --changed-since.
func (o *listOptions) since(now time.Time) (*time.Time, error) {
	if o.changedSince == "" {
		return nil, nil //nolint:nilnil // not asked for
	}
	t, err := parseSince(o.changedSince, now)
	if err != nil {
		return nil, fmt.Errorf("--changed-since: %w", err)
	}
	return &t, nil
}

// parseSince reads a point in time: a duration before now, a date, or RFC 3339.
func parseSince(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a duration (90m, 7d), date (2026-03-01) or RFC 3339 time", text)
}

// withCache runs a command that only reads the cache.
func (a *app) withCache(ctx context.Context, run func(s *db.Store) error) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	err = run(store)
	if _, ok := errors.AsType[*exitError](err); ok || err == nil {
		return err
	}
	if errors.Is(err, db.ErrBadFilter) {
		return &exitError{exitUsage, err}
	}
	if ambiguous, ok := errors.AsType[*db.AmbiguousError](err); ok {
		err = fmt.Errorf("%q is ambiguous; say one of\n  %s", printable.Text(ambiguous.Name), printableLines(ambiguous.Candidates))
	}
	return fail(err)
}

// lister is a list command: what it searches, and a table of what it found.
type lister[T any] struct {
	options *listOptions
	search  func(ctx context.Context, s *db.Store, o db.Tombstones, since *time.Time, after string) (db.Page[T], error)
	// doubtful is the filter whose values are looked into; nil for none.
	doubtful db.Doubtful
	header   []any
	row      func(v *T, now time.Time) table.Row
	// numbers are the first and the last column of numbers, from 1.
	numbers [2]int
}

func (l *lister[T]) run(ctx context.Context, a *app, s *db.Store) error {
	now := time.Now()
	since, err := l.options.since(now)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if err := l.options.checkClusters(ctx, s); err != nil {
		return err
	}
	page, err := l.search(ctx, s, l.options.tombstones(), since, l.options.after)
	for err == nil && l.options.all && page.Next != "" {
		var more db.Page[T]
		more, err = l.search(ctx, s, l.options.tombstones(), since, page.Next)
		page.Items, page.Next = append(page.Items, more.Items...), more.Next
	}
	if err != nil {
		return err
	}
	if err := l.options.checkValues(ctx, s, l.doubtful, len(page.Items) == 0 && l.options.after == ""); err != nil {
		return err
	}
	switch {
	case a.jsonOutput:
		return a.printJSON(page)
	case l.options.csv:
		return a.printCSV(page.Items)
	}
	return l.print(a, page, now)
}

// checkClusters makes sure that every cluster that was named is there.
func (o *listOptions) checkClusters(ctx context.Context, s *db.Store) error {
	for _, name := range o.clusters {
		_, err := s.ClusterByName(ctx, name)
		if errors.Is(err, db.ErrNotFound) {
			return unknownCluster(ctx, s, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unknownCluster is the error of a name that no cluster has.
func unknownCluster(ctx context.Context, s *db.Store, name string) error {
	clusters, err := s.Clusters(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(clusters))
	for i := range clusters {
		names[i] = clusters[i].Name
	}
	return fail(fmt.Errorf("--cluster: %s (%w)", printable.Text(db.UnknownCluster(name, names).Text), db.ErrNotFound))
}

// checkValues refuses values that find nothing because there is no such thing.
func (o *listOptions) checkValues(ctx context.Context, s *db.Store, f db.Doubtful, empty bool) error {
	if f == nil {
		return nil
	}
	doubts, err := s.Doubts(ctx, f, empty)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range doubts {
		errs = append(errs, fmt.Errorf("--%s: %s", strings.ReplaceAll(d.Param, "_", "-"), printable.Text(d.Text)))
	}
	if len(errs) == 0 {
		return nil
	}
	return &exitError{exitUsage, errors.Join(errs...)}
}

func (l *lister[T]) print(a *app, page db.Page[T], now time.Time) error {
	if len(page.Items) == 0 {
		return a.printf("nothing found\n")
	}
	t := newTable(l.header...)
	for i := range page.Items {
		row := l.row(&page.Items[i], now)
		for j, cell := range row {
			if s, ok := cell.(string); ok {
				row[j] = printable.Text(s)
			}
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(alignRight(l.numbers[0], l.numbers[1]))
	next := ""
	if page.Next != "" {
		next = fmt.Sprintf("\n%d shown, there are more: --after %s\n", len(page.Items), page.Next)
	}
	return a.printf("%s\n%s", t.Render(), next)
}

// command makes the cobra command of a list.
func (a *app) listCommand(use, short, example string, kind db.Kind, o *listOptions, run func(ctx context.Context, s *db.Store) error) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `.

All filters must match. The command queries only the database, no cluster; the last column is the age of the rows.
docs/reading.md has the details.`,
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(checkEmpty(cmd.LocalNonPersistentFlags()), o.check(a)); err != nil {
				return err
			}
			return a.withCache(cmd.Context(), func(s *db.Store) error { return run(cmd.Context(), s) })
		},
	}
	o.flags(cmd.Flags(), kind)
	a.jsonFlag(cmd)
	return cmd
}

func printableLines(lines []string) string {
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = printable.Text(line)
	}
	return strings.Join(clean, "\n  ")
}

// mib prints a size as people say it; an unknown one is empty.
func mib(n *int64) string {
	if n == nil {
		return ""
	}
	return humanize.IBytes(uint64(max(*n, 0)) << 20)
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// gone is the age of a live row, or since when there is none.
func gone(deleted, cached *time.Time, now time.Time) string {
	if deleted != nil {
		return "gone " + rough(now.Sub(*deleted))
	}
	return age(cached, now)
}

// printCSV prints rows with their columns as --json names them, without the whole object.
func (a *app) printCSV(rows any) error {
	w := csv.NewWriter(a.stdout)
	v := reflect.ValueOf(rows)
	header := csvColumns(reflect.Zero(v.Type().Elem()))
	names := make([]string, len(header))
	for i, c := range header {
		names[i] = c.name
	}
	if err := w.Write(names); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	for i := range v.Len() {
		cells := csvColumns(v.Index(i))
		line := make([]string, len(cells))
		for j, c := range cells {
			line[j] = csvText(c.value)
		}
		if err := w.Write(line); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

type csvColumn struct {
	name  string
	value any
}

// csvColumns lists the columns of a row in the order of its fields.
func csvColumns(row reflect.Value) []csvColumn {
	var columns []csvColumn
	for i := range row.NumField() {
		f := row.Type().Field(i)
		if f.Anonymous {
			columns = append(columns, csvColumns(row.Field(i))...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "info" {
			continue
		}
		columns = append(columns, csvColumn{name, row.Field(i).Interface()})
	}
	return columns
}

// csvText is a value as text; elements of lists are separated by spaces, which none of them has, and "-" is one that is
// missing.
func csvText(v any) string {
	switch x := v.(type) {
	case db.List:
		elements := slices.Clone(x)
		for i, e := range elements {
			elements[i] = cmp.Or(e, "-")
		}
		return strings.Join(elements, " ")
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case *time.Time:
		if x == nil {
			return ""
		}
		return x.Format(time.RFC3339Nano)
	case *int64:
		return number(x)
	case *bool:
		if x == nil {
			return ""
		}
		return strconv.FormatBool(*x)
	}
	return fmt.Sprint(v)
}
