package board

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The data sources' types, as Grafana 12 names them.
const (
	prometheusType = "prometheus"
	postgresType   = "grafana-postgresql-datasource"
)

// columns is the width of Grafana's grid.
const columns = 24

// Problems returns what is wrong with a dashboard's build: what Grafana would accept, and an operator stumble over.
// Metrics are the names that there are.
func (d *Dashboard) Problems(metrics []string) []string {
	var found []string
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if d.UID == "" || d.Title == "" || d.Description == "" {
		report("uid, title or description is missing")
	}
	seen, titles := map[int]string{}, map[string]bool{}
	for _, p := range d.All() {
		if titles[p.Title] {
			report("two panels are called %q", p.Title)
		}
		titles[p.Title] = true
		if other, taken := seen[p.ID]; taken || p.ID == 0 {
			report("panel %q: the id %d is 0 or that of %q", p.Title, p.ID, other)
		}
		seen[p.ID] = p.Title
		found = append(found, p.problems(d)...)
	}
	found = append(found, d.overlaps()...)
	found = append(found, d.variableProblems()...)
	queries, err := d.Queries()
	if err != nil {
		return append(found, err.Error())
	}
	for _, q := range queries {
		if q.Language != SQL {
			found = append(found, q.metricProblems(metrics)...)
		}
	}
	return found
}

func (p Panel) problems(d *Dashboard) []string {
	var found []string
	report := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("panel %q: ", p.Title)+fmt.Sprintf(format, args...))
	}
	if p.Title == "" {
		report("id %d has no title", p.ID)
	}
	if p.Grid.W < 1 || p.Grid.H < 1 || p.Grid.X < 0 || p.Grid.X+p.Grid.W > columns {
		report("it does not fit into the grid: %+v", p.Grid)
	}
	if p.Type == "row" {
		return found
	}
	if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
		report("its description says nothing: %q", p.Description)
	}
	if p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.Thresholds == nil {
		report("it has no unit or no thresholds")
	}
	if len(p.Targets) == 0 {
		report("it asks nothing")
	}
	refs := map[string]bool{}
	for _, t := range p.Targets {
		if refs[t.RefID] {
			report("two of its queries are %s", t.RefID)
		}
		refs[t.RefID] = true
		if t.Source != p.Source || !d.chosen(t.Source) {
			report("query %s asks %+v, the panel %+v: want a variable", t.RefID, t.Source, p.Source)
		}
		if (t.SQL != "") != (t.Source.Type == postgresType) || (t.Expr != "") != (t.Source.Type == prometheusType) {
			report("query %s is not in the language of %s", t.RefID, t.Source.Type)
		}
	}
	return found
}

// chosen says whether a data source is one that a variable of the same type chooses.
func (d *Dashboard) chosen(s Source) bool {
	return slices.ContainsFunc(d.Templating.List, func(v Variable) bool {
		text, err := v.Text()
		return err == nil && v.Type == "datasource" && text == s.Type && s.UID == "${"+v.Name+"}"
	})
}

// overlaps compares the panels that are seen together.
func (d *Dashboard) overlaps() []string {
	var found []string
	for i, a := range d.Panels {
		for _, b := range d.Panels[:i] {
			if a.Grid.X < b.Grid.X+b.Grid.W && b.Grid.X < a.Grid.X+a.Grid.W && a.Grid.Y < b.Grid.Y+b.Grid.H && b.Grid.Y < a.Grid.Y+a.Grid.H {
				found = append(found, fmt.Sprintf("panel %q covers %q", a.Title, b.Title))
			}
		}
	}
	return found
}

func (d *Dashboard) variableProblems() []string {
	var found []string
	for _, v := range d.Templating.List {
		if v.Type == "query" && (v.Source == nil || !d.chosen(*v.Source)) {
			found = append(found, fmt.Sprintf("variable %s: its data source is not chosen by a variable", v.Name))
		}
		// Without it Grafana writes all values, which may be a thousand, into each query.
		if v.IncludeAll && v.AllValue == "" {
			found = append(found, fmt.Sprintf("variable %s: All has no value of its own", v.Name))
		}
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 && !d.chosen(a.Source) {
			found = append(found, fmt.Sprintf("annotation %q: its data source is not chosen by a variable", a.Name))
		}
	}
	return found
}

var metricName = regexp.MustCompile(`\b(?:ganeti_updater_|go_|process_)\w+`)

// general are made by the client library, for every program.
//
//nolint:gochecknoglobals // a constant list
var general = []string{"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}

func (q Query) metricProblems(metrics []string) []string {
	var found []string
	names := metricName.FindAllString(q.Text, -1)
	if len(names) == 0 && !strings.Contains(q.Text, "ALERTS{") {
		found = append(found, q.Where+" names no metric")
	}
	for _, name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if !slices.Contains(metrics, name) && !slices.Contains(metrics, base) && !slices.Contains(general, name) {
			found = append(found, fmt.Sprintf("%s: there is no metric %s", q.Where, name))
		}
	}
	return found
}
