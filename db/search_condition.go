package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one filter of a search.
type condition struct {
	// test is a predicate on row v. Where the planner is blind no index serves it.
	test string
	args []any
	// ids is a query for the ids of the rows that pass, by an index; "" when there is none. Only blind planners need it.
	ids    string
	idArgs []any
	// column is that of v whose order the condition follows: sorted by it, the search reads a range of one index.
	column string
	// ordered is test with that index.
	ordered string
	// branches are the parts of ordered that read one range of an index each, where it takes several: the search reads each
	// of them in order and merges them.
	branches []condition
	// unguessable says that no planner guesses how many rows pass.
	unguessable bool
}

// filters gathers the conditions of one search.
type filters struct {
	d     *dialect
	t     *table
	conds []condition
	err   error
}

func (f *filters) add(c condition) { f.conds = append(f.conds, c) }

func (f *filters) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// compare adds a condition on an indexed column; op has one ? for each argument and %s for the column.
func (f *filters) compare(column, op string, args ...any) {
	on := func(column string) string { return strings.ReplaceAll(op, "%s", column) }
	f.add(condition{
		test: on(f.d.search.off("v." + column)), args: args,
		ids: "SELECT id FROM " + f.t.name + " WHERE " + on(column), idArgs: args,
		column: column, ordered: on("v." + column),
	})
}

// equal adds column = value, unless value is "".
func (f *filters) equal(column, value string) {
	if value != "" {
		f.compare(column, "%s = ?", cleanText(value))
	}
}

// maxBranches bounds the ranges that are merged; with more, reading all rows in order costs no more.
const maxBranches = 16

// anyOf adds column = any of the values, unless there is none. follows is the column by which the rows with the same value
// follow each other in an index.
func (f *filters) anyOf(column, follows, param string, values []string) {
	values = slices.Compact(slices.Sorted(slices.Values(cleanTexts(values))))
	switch {
	case len(values) == 0:
		return
	case len(values) == 1:
		f.compare(column, "%s = ?", values[0])
	case len(values) > maxValues:
		f.fail(badFilter(param, "%d values are too many, %d are allowed", len(values), maxValues))
		return
	default:
		f.compare(column, f.d.in("%s"), f.d.list(values))
		if len(values) <= maxBranches {
			for _, value := range values {
				f.branch("v."+column+" = ?", value)
			}
		}
	}
	f.conds[len(f.conds)-1].column = follows
}

// branch adds one to the newest condition.
func (f *filters) branch(test string, args ...any) {
	c := &f.conds[len(f.conds)-1]
	c.branches = append(c.branches, condition{test: test, args: args})
}

// between adds a range.
func (f *filters) between(column string, r Range) {
	switch {
	case r.IsZero():
	case r.Max == nil:
		f.compare(column, "%s >= ?", *r.Min)
	case r.Min == nil:
		f.compare(column, "%s <= ?", *r.Max)
	case *r.Min == *r.Max:
		f.compare(column, "%s = ?", *r.Min)
	default:
		f.compare(column, "%s BETWEEN ? AND ?", *r.Min, *r.Max)
	}
}

// named adds a name or a glob. What stands before the first wildcard is a range of the index.
func (f *filters) named(pattern string) {
	if pattern == "" {
		return
	}
	pattern = cleanText(pattern)
	prefix, isGlob := globPrefix(pattern)
	if !isGlob {
		f.compare("name", "%s = ?", pattern)
		return
	}
	if strings.Trim(pattern, "*") == "" {
		return
	}
	if prefix != "" {
		low, high := prefixRange(prefix)
		f.compare("name", "%s >= ? AND %s < ?", low, high)
		if pattern == prefix+"*" {
			return
		}
	}
	// In the CASE, PostgreSQL does not guess how few names match, which it is bad at, and reads the names in order.
	f.add(condition{
		test: "CASE WHEN " + f.d.search.globs(f.d.search.off("v.name")) + " THEN true ELSE false END",
		args: []any{f.d.search.glob(pattern)},
	})
}

// has adds that a list has a value, unless it is "".
func (f *filters) has(l list, values ...string) {
	if values[0] != "" {
		f.add(f.d.search.has(f.t, l, cleanTexts(values)))
	}
}

// tagged adds tags and prefixes of tags.
func (f *filters) tagged(tags, prefixes []string) {
	for _, tag := range tags {
		if tag == "" {
			f.fail(badFilter("tag", "a tag is not empty"))
		}
		f.has(listTags(), tag)
	}
	for _, prefix := range prefixes {
		// PostgreSQL's text search takes words up to this length.
		const most = 2046
		if prefix == "" || len(prefix) > most {
			f.fail(badFilter("tag_prefix", "a prefix has 1 to %d bytes", most))
			continue
		}
		f.add(f.d.search.hasPrefix(f.t, listTags(), cleanText(prefix)))
	}
}

// inClusters adds the clusters, by name.
func (f *filters) inClusters(names []string) {
	const ids = "(SELECT id FROM clusters WHERE name = ?)"
	switch len(names) {
	case 0:
	case 1:
		f.compare("cluster_id", "%s = "+ids, cleanText(names[0]))
		// In the index, the names of one cluster follow each other.
		f.conds[len(f.conds)-1].column = "name"
	default:
		names = slices.Compact(slices.Sorted(slices.Values(cleanTexts(names))))
		f.compare("cluster_id", "%s IN (SELECT id FROM clusters WHERE "+f.d.in("name")+")", f.d.list(names))
		f.conds[len(f.conds)-1].column = "name"
		if len(names) <= maxBranches {
			for _, name := range names {
				f.branch("v.cluster_id = "+ids, name)
			}
		}
	}
}

// changedSince asks the log of changes. observed_at of the row alone does not tell, as it also moves when nothing changed;
// but a row that changed was observed no earlier, and looking at it first spares a look into the log for most rows.
func (f *filters) changedSince(since *time.Time) {
	if since == nil {
		return
	}
	at := cleanTime(*since)
	f.add(condition{
		test: "v.observed_at >= ? AND " + exists("SELECT 1 FROM changes ch WHERE ch.kind = '"+string(f.t.kind)+
			"' AND ch.object_id = v.id AND "+f.d.search.off("ch.observed_at")+" >= ?"),
		args:   []any{at, at},
		ids:    "SELECT object_id AS id FROM changes WHERE kind = '" + string(f.t.kind) + "' AND observed_at >= ?",
		idArgs: []any{at}, unguessable: true,
	})
}

func (f *filters) alive(which Tombstones) {
	switch which {
	case LiveOnly:
		f.add(condition{test: "v.deleted_at IS NULL"})
	case TombstonesOnly:
		f.add(condition{test: "v.deleted_at IS NOT NULL", ids: "SELECT id FROM " + f.t.name + " WHERE deleted_at IS NOT NULL"})
	case WithTombstones:
	}
}

// permitted adds the rows that somebody may see: for VMs the granted ones, for all else those of granted clusters.
func (f *filters) permitted(p *Permitted, g *grants) {
	var c condition
	switch {
	case p == nil:
		return
	case f.t.kind != KindVM:
		c.test, c.args = p.clusterSQL(f.d, "v.cluster_id")
	case g == nil:
		c.test, c.args = p.sql(f.d, "v")
	case len(g.clusters) == 0 && len(g.vms) == 0:
		c.test = "false"
	case len(g.clusters) == 1 && len(g.vms) == 0:
		f.compare("cluster_id", "%s = ?", g.clusters[0])
		f.conds[len(f.conds)-1].column = "name"
		return
	case len(g.clusters) <= maxBranches && len(g.vms) == 0:
		f.compare("cluster_id", "%s IN ("+numbers(g.clusters)+")")
		f.conds[len(f.conds)-1].column = "name"
		for _, id := range g.clusters {
			f.branch("v.cluster_id = ?", id)
		}
		return
	default:
		clusters, vms := " IN ("+numbers(g.clusters)+")", " IN ("+numbers(g.vms)+")"
		from := "SELECT id FROM " + f.t.name + " WHERE "
		switch {
		case len(g.vms) == 0:
			c.test, c.ids = f.d.search.off("v.cluster_id")+clusters, from+"cluster_id"+clusters
		case len(g.clusters) == 0:
			c.test, c.ids = "v.id"+vms, from+"id"+vms
		default:
			c.test = "(" + f.d.search.off("v.cluster_id") + clusters + " OR " + f.d.search.off("v.id") + vms + ")"
			c.ids = from + "cluster_id" + clusters + " UNION " + from + "id" + vms
		}
	}
	f.add(c)
}

// grants are the row ids that somebody was granted.
type grants struct{ clusters, vms []int64 }

// grantsOf reads them, nil if there are more than leadRows. A planner that sees the very ids knows how many rows there are
// to find, and begins with them if they are few.
func (s *Store) grantsOf(ctx context.Context, p *Permitted) (*grants, error) {
	granted, args := p.granted(s.d)
	var rows []struct {
		Cluster *int64 `db:"cluster_id"`
		VM      *int64 `db:"vm_id"`
	}
	query := "SELECT DISTINCT p.cluster_id, p.vm_id FROM permissions p WHERE " + granted + " LIMIT ?"
	if err := s.read(ctx, &rows, query, append(args, leadRows+1)...); err != nil {
		return nil, fmt.Errorf("reading what is permitted: %w", err)
	}
	if len(rows) > leadRows {
		return nil, nil //nolint:nilnil // too many to be told
	}
	var g grants
	for _, r := range rows {
		switch {
		case r.Cluster != nil:
			g.clusters = append(g.clusters, *r.Cluster)
		case r.VM != nil:
			g.vms = append(g.vms, *r.VM)
		}
	}
	return &g, nil
}

// numbers writes row ids into a statement.
func numbers(ids []int64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(texts, ", ")
}

// commonConditions are those that every kind has.
func (s *Store) commonConditions(ctx context.Context, t *table, c *common) (*filters, error) {
	f := &filters{d: s.d, t: t}
	var g *grants
	if c.permitted != nil && t.kind == KindVM {
		var err error
		if g, err = s.grantsOf(ctx, c.permitted); err != nil {
			return nil, err
		}
	}
	f.permitted(c.permitted, g)
	f.inClusters(c.clusters)
	f.named(c.name)
	f.tagged(c.tags, c.tagPrefixes)
	f.changedSince(c.changedSince)
	f.alive(c.tombstones)
	return f, nil
}
