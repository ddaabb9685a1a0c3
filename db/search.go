package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// search is one search of one kind.
type search struct {
	s     *Store
	t     *table
	conds []condition
	order *sorting
	limit int
	// info says that the rows are wanted with it.
	info bool
}

// newSearch checks a filter and makes its conditions; more adds those that only this kind has.
func (s *Store) newSearch(ctx context.Context, k Kind, c common, more func(f *filters)) (*search, error) {
	t, err := s.tableOf(k)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	f, err := s.commonConditions(ctx, t, &c)
	if err != nil {
		return nil, err
	}
	more(f)
	if f.err != nil {
		return nil, f.err
	}
	order, err := newSorting(s.d, t, c.order)
	if err != nil {
		return nil, err
	}
	return &search{s: s, t: t, conds: f.conds, order: order, limit: c.order.limit, info: c.withInfo}, nil
}

// runSearch returns a page. It asks for one row more than the page has, to learn whether another page follows.
func runSearch[T view](ctx context.Context, q *search) (Page[T], error) {
	page := Page[T]{Items: []T{}}
	leader, err := q.lead(ctx)
	if err != nil {
		return page, err
	}
	for _, part := range q.order.segments() {
		want := q.limit + 1 - len(page.Items)
		if want <= 0 {
			break
		}
		query, args := q.statement(leader, part, want)
		rows, err := q.s.reader.QueryContext(ctx, q.s.reader.Rebind(query), args...)
		if err != nil {
			return page, fmt.Errorf("searching %ss: %w", q.t.kind, err)
		}
		items, err := scanViews[T](rows)
		if err != nil {
			return page, fmt.Errorf("reading the %ss that were found: %w", q.t.kind, err)
		}
		page.Items = append(page.Items, items...)
	}
	if len(page.Items) <= q.limit {
		return page, nil
	}
	page.Items = page.Items[:q.limit]
	page.Next, err = q.order.encode(&page.Items[q.limit-1])
	return page, err
}

// statement finds the ids of the page first: what is sorted stays small, and the long rows are only read for the page.
func (q *search) statement(leader int, part segment, limit int) (string, []any) {
	var joins []string
	if q.order.cluster {
		joins = append(joins, "JOIN clusters c ON c.id = v.cluster_id")
	}
	if q.order.freshness {
		joins = append(joins, "LEFT JOIN freshness f ON f.cluster_id = v.cluster_id AND f.kind = '"+string(q.t.kind)+"'")
	}
	var parts []string
	var args []any
	for _, b := range q.branches(leader) {
		where, more := q.where(leader, b)
		parts = append(parts, "SELECT v.id, "+q.order.expr+" AS sorted FROM "+q.t.name+" v "+strings.Join(joins, " ")+
			"\nWHERE "+where+" AND "+part.condition+"\nORDER BY "+q.order.orderBy(q.s.d, leader != inOrder)+"\nLIMIT ?")
		args = append(append(append(args, more...), part.args...), limit)
	}
	ids := parts[0]
	if len(parts) > 1 {
		ids = "SELECT id, sorted FROM (SELECT * FROM (" + strings.Join(parts, ") AS b UNION ALL SELECT * FROM (") + ") AS b) AS v" +
			"\nORDER BY " + q.order.direction(q.s.d, "sorted", "id") + "\nLIMIT ?"
		args = append(args, limit)
	}
	query := "WITH page AS MATERIALIZED (\n" + ids + ")\nSELECT " + q.t.selectList(q.info) + "\nFROM page JOIN " + q.t.name + " v ON v.id = page.id\n" + q.t.viewJoins() +
		"\nORDER BY " + q.order.orderBy(q.s.d, false)
	return query, args
}

// branches are the variants of the search to merge, as a condition and its branch; none is one variant without any.
func (q *search) branches(leader int) []branch {
	if leader == inOrder {
		for i, c := range q.conds {
			if c.column == q.order.column && len(c.branches) > 0 {
				all := make([]branch, len(c.branches))
				for j := range c.branches {
					all[j] = branch{i, &c.branches[j]}
				}
				return all
			}
		}
	}
	return []branch{{-1, nil}}
}

// branch takes the place of a condition.
type branch struct {
	cond int
	by   *condition
}

// inOrder is a leader that is no filter: the rows are read in the order asked for, and tested, until the page is full.
const inOrder = -1

// where joins the conditions; that of the leader finds rows by an index, the others test them.
func (q *search) where(leader int, b branch) (string, []any) {
	var tests []string
	var args []any
	for i, c := range q.conds {
		switch {
		case i == b.cond:
			tests, args = append(tests, b.by.test), append(args, b.by.args...)
		case i == leader:
			tests, args = append(tests, q.s.d.search.among("v.id", c.ids)), append(args, c.idArgs...)
		case leader == inOrder && c.column == q.order.column && c.ordered != "" && len(c.branches) == 0:
			tests, args = append(tests, c.ordered), append(args, c.args...)
		default:
			tests, args = append(tests, c.test), append(args, c.args...)
		}
	}
	if len(tests) == 0 {
		return "true", nil
	}
	return strings.Join(tests, " AND "), args
}

// leadRows is how many rows a filter may find to lead a search. Up to here, reading them all and sorting them is cheaper
// than reading in order what other filters then drop.
const leadRows = 4000

// lead chooses the filter that finds the fewest rows, or inOrder when all find many. A planner that knows the data does
// that by itself, as far as it can.
func (q *search) lead(ctx context.Context) (int, error) {
	leader, fewest := inOrder, leadRows
	for i, c := range q.conds {
		if c.ids == "" || !c.unguessable && !q.s.d.search.blind {
			continue
		}
		if c.column == q.order.column && !q.hasRivals(i) {
			continue // the order itself leads to these rows
		}
		var n int
		query := q.s.reader.Rebind("SELECT count(*) FROM (" + c.ids + " LIMIT ?) AS found")
		if err := q.s.reader.GetContext(ctx, &n, query, append(slices.Clone(c.idArgs), fewest+1)...); err != nil {
			return inOrder, fmt.Errorf("searching %ss: %w", q.t.kind, err)
		}
		if n <= fewest {
			leader, fewest = i, n
		}
		if n < enough {
			break
		}
	}
	return leader, nil
}

// enough is when to stop looking for a filter that finds fewer.
const enough = 100

// hasRivals says whether any other filter than i could lead.
func (q *search) hasRivals(i int) bool {
	for j, c := range q.conds {
		if j != i && c.ids != "" {
			return true
		}
	}
	return false
}

// SearchVMs returns a page of VMs. Pages are cut by the sorted value and the row id: while rows come, go and change, no
// row that stays as it is is missed or shown twice. ErrBadFilter.
func (s *Store) SearchVMs(ctx context.Context, f VMFilter) (Page[VMView], error) {
	q, err := s.newSearch(ctx, KindVM, f.common(), f.conditions)
	if err != nil {
		return Page[VMView]{}, err
	}
	return runSearch[VMView](ctx, q)
}

// SearchNodes returns a page of nodes; see SearchVMs.
func (s *Store) SearchNodes(ctx context.Context, f NodeFilter) (Page[NodeView], error) {
	q, err := s.newSearch(ctx, KindNode, f.common(), f.conditions)
	if err != nil {
		return Page[NodeView]{}, err
	}
	return runSearch[NodeView](ctx, q)
}

// SearchGroups returns a page of node groups; see SearchVMs.
func (s *Store) SearchGroups(ctx context.Context, f GroupFilter) (Page[GroupView], error) {
	q, err := s.newSearch(ctx, KindGroup, f.common(), func(c *filters) {
		c.has(list{column: "nodes"}, f.Node)
	})
	if err != nil {
		return Page[GroupView]{}, err
	}
	return runSearch[GroupView](ctx, q)
}

// SearchNetworks returns a page of networks; see SearchVMs.
func (s *Store) SearchNetworks(ctx context.Context, f NetworkFilter) (Page[NetworkView], error) {
	q, err := s.newSearch(ctx, KindNetwork, f.common(), func(*filters) {})
	if err != nil {
		return Page[NetworkView]{}, err
	}
	return runSearch[NetworkView](ctx, q)
}

// SearchJobs returns a page of jobs; see SearchVMs.
func (s *Store) SearchJobs(ctx context.Context, f JobFilter) (Page[JobView], error) {
	q, err := s.newSearch(ctx, KindJob, f.common(), func(c *filters) {
		c.anyOf("status", "", "status", f.Statuses)
	})
	if err != nil {
		return Page[JobView]{}, err
	}
	return runSearch[JobView](ctx, q)
}
