package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"ganeticache/test/grafana/board"
)

// answer is what came back for a query.
type answer struct {
	rows    int
	columns []string // of a table, or the names of the series
	first   string   // the first value
}

// frame is the shown time: since the beginning, as far as the demo is concerned.
func frame() board.Frame {
	now := time.Now()
	return board.Frame{From: now.Add(-5 * time.Minute), To: now, Step: 2 * time.Second, Scrape: scrape}
}

// selections are what an operator may choose besides All.
func (r *rig) selections() []board.Selection {
	return []board.Selection{
		{"cluster": {r.world.Clusters[dotted].Name}, "kind": {"vm"}},
		{"cluster": {r.world.Clusters[dotted].Name, r.world.Clusters[fails].Name}, "kind": {"vm", "node"}},
	}
}

// question is a panel, a variable or an annotation with all its queries.
type question struct {
	*board.Dashboard

	panel   *board.Panel // nil for what is none
	queries []board.Query
}

func (r *rig) questions() ([]question, error) {
	var all []question
	for _, d := range r.boards {
		queries, err := d.Queries()
		if err != nil {
			return nil, err
		}
		for _, q := range queries {
			if last := len(all) - 1; q.Panel != nil && last >= 0 && all[last].panel != nil && all[last].panel.ID == q.Panel.ID {
				all[last].queries = append(all[last].queries, q)
				continue
			}
			all = append(all, question{Dashboard: d, panel: q.Panel, queries: []board.Query{q}})
		}
	}
	return all, nil
}

// ask runs every query, first for what an operator may choose, then with All until each has shown something.
func (r *rig) ask(ctx context.Context) error {
	open, err := r.questions()
	if err != nil {
		return err
	}
	count := map[board.Language]int{}
	for _, p := range open {
		for _, q := range p.queries {
			count[q.Language]++
			for _, s := range r.selections() {
				if _, err := r.one(ctx, p.Dashboard, q, s); err != nil {
					return fmt.Errorf("%s, chosen %v: %w\n%s", q.Where, s, err, q.Text)
				}
			}
		}
	}
	var lacking []error
	for len(open) > 0 {
		if err := pause(ctx, scrape); err != nil {
			return fmt.Errorf("within %s these showed nothing:\n%w", r.patience, errors.Join(lacking...))
		}
		if open, lacking, err = r.settle(ctx, open); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.out, "%d queries in PromQL, %d in SQL, %d of variables; All, one and two clusters chosen: each runs and shows something.\n",
		count[board.PromQL], count[board.SQL], count[board.LabelValues])
	return nil
}

// settle returns the questions that are still open, and why.
func (r *rig) settle(ctx context.Context, all []question) (open []question, lacking []error, err error) {
	for _, p := range all {
		missing, err := r.shown(ctx, p)
		switch {
		case ctx.Err() != nil: // what was not asked any more is still open
			open, lacking = append(open, p), append(lacking, fmt.Errorf("%s was not answered in time", p.queries[0].Where))
		case err != nil:
			return nil, nil, err
		case missing != nil:
			open, lacking = append(open, p), append(lacking, missing)
		}
	}
	return open, lacking, nil
}

// shown says what a panel does not show yet.
func (r *rig) shown(ctx context.Context, p question) (missing, err error) {
	var names []string
	for _, q := range p.queries {
		a, err := r.one(ctx, p.Dashboard, q, board.Selection{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", q.Where, err, q.Text)
		}
		if a.rows == 0 {
			return fmt.Errorf("%s shows nothing:\n%s", q.Where, q.Text), nil
		}
		if p.panel != nil && !proves(p.panel.Title, a.first) {
			return fmt.Errorf("%s shows %s, which is not what the demo is like:\n%s", q.Where, a.first, q.Text), nil
		}
		names = append(names, a.columns...)
		if r.list {
			fmt.Fprintf(r.out, "%4d  %-55s %s\n", a.rows, q.Where, a.first)
		}
	}
	if p.panel == nil {
		return nil, nil
	}
	if unmatched := p.panel.Unmatched(names); len(unmatched) > 0 {
		return fmt.Errorf("panel %q has overrides for %q, and shows %q", p.panel.Title, unmatched, names), nil
	}
	return nil, nil
}

// truth is what single values must at least be in this demo: a number that is always 0 would be a row as well.
//
//nolint:gochecknoglobals // a constant table
var truth = map[string]float64{
	"Stale clusters": 1, "Clusters with errors": 2, "Oldest cluster": 10, "Removals withheld": 1, "In quarantine": 2,
	"Next certificate expires in": 3600, "Database": 1, "Updaters": 2,
}

func proves(panel, value string) bool {
	least, ok := truth[panel]
	if !ok {
		return true
	}
	v, err := strconv.ParseFloat(value, 64)
	return err == nil && v >= least
}

var labelValues = regexp.MustCompile(`^label_values\((.+), *(\w+)\)$`)

// one runs a query as Grafana would.
func (r *rig) one(ctx context.Context, d *board.Dashboard, q board.Query, s board.Selection) (answer, error) {
	f := frame()
	text, err := d.Expand(q, s, f)
	if err != nil {
		return answer{}, err
	}
	switch q.Language {
	case board.SQL:
		return r.rows(ctx, text)
	case board.LabelValues:
		m := labelValues.FindStringSubmatch(text)
		if m == nil {
			return answer{}, errors.New("only label_values(selector, label) is understood here")
		}
		values, err := r.server.labelValues(ctx, m[1], m[2])
		return answer{rows: len(values), columns: values, first: strings.Join(values, " ")}, err
	case board.PromQL:
	}
	var found []series
	if q.Instant {
		found, err = r.server.instant(ctx, text)
	} else {
		found, err = r.server.over(ctx, text, f.From, f.To, f.Step)
	}
	if err != nil {
		return answer{}, err
	}
	return summary(q, found)
}

// summary names the series. A legend that names a label they do not have is an error.
func summary(q board.Query, found []series) (answer, error) {
	var a answer
	table := q.Panel != nil && q.Panel.Type == "table"
	if table {
		a.columns = []string{"Time", "Value"}
	}
	for _, s := range found {
		if !s.shows() {
			continue
		}
		if a.rows++; a.rows == 1 {
			a.first = strconv.FormatFloat(s.values[len(s.values)-1], 'f', -1, 64)
		}
		if table {
			a.columns = append(a.columns, slices.Collect(maps.Keys(s.labels))...)
			continue
		}
		for _, format := range q.Legends {
			name, missing := board.Legend(format, s.labels)
			// An alert about no cluster in particular.
			if len(missing) > 0 && s.labels["alertname"] == "" {
				return a, fmt.Errorf("the legend %q names %q, and a result is %v", format, missing, s.labels)
			}
			a.columns = append(a.columns, name)
		}
	}
	return a, nil
}

// rows runs SQL as the reader.
func (r *rig) rows(ctx context.Context, text string) (answer, error) {
	var a answer
	rows, err := r.reader.QueryContext(ctx, text)
	if err != nil {
		return a, fmt.Errorf("refused by PostgreSQL: %w", err)
	}
	defer rows.Close()
	if a.columns, err = rows.Columns(); err != nil {
		return a, fmt.Errorf("reading the columns: %w", err)
	}
	for rows.Next() {
		values, err := sqlx.SliceScan(rows)
		if err != nil {
			return a, fmt.Errorf("reading a row: %w", err)
		}
		if a.rows++; a.rows == 1 {
			if b, ok := values[0].([]byte); ok {
				values[0] = string(b)
			}
			a.first = fmt.Sprint(values[0])
		}
	}
	if err := rows.Err(); err != nil {
		return a, fmt.Errorf("reading the rows: %w", err)
	}
	return a, nil
}
