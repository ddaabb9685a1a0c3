// Package board reads Grafana dashboards: which queries they have, what Grafana makes of them before a data source gets
// them, and what is wrong with their build. It knows as much of Grafana as deploy/grafana uses, and refuses the rest.
package board

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Dashboard is what the checks need of a dashboard's JSON. test/manifests holds all of it against Grafana's schema.
type Dashboard struct {
	UID         string  `json:"uid"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Panels      []Panel `json:"panels"`
	Templating  struct {
		List []Variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []Annotation `json:"list"`
	} `json:"annotations"`
}

// Source is a reference to a data source.
type Source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Panel is a panel or, with Type "row", a row.
type Panel struct {
	ID          int     `json:"id"`
	Type        string  `json:"type"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Collapsed   bool    `json:"collapsed"`
	Panels      []Panel `json:"panels"`
	Grid        struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Source      Source   `json:"datasource"`
	Targets     []Target `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit       string          `json:"unit"`
			Thresholds json.RawMessage `json:"thresholds"`
		} `json:"defaults"`
		Overrides []struct {
			Matcher struct {
				ID      string `json:"id"`
				Options string `json:"options"`
			} `json:"matcher"`
		} `json:"overrides"`
	} `json:"fieldConfig"`
	Transformations []Transformation `json:"transformations"`
}

// Transformation is "organize", which hides and renames columns.
type Transformation struct {
	ID      string `json:"id"`
	Options struct {
		Exclude map[string]bool   `json:"excludeByName"`
		Rename  map[string]string `json:"renameByName"`
	} `json:"options"`
}

// Target is a query of a panel.
type Target struct {
	RefID   string `json:"refId"`
	Source  Source `json:"datasource"`
	Expr    string `json:"expr"`
	Legend  string `json:"legendFormat"`
	Format  string `json:"format"`
	Instant bool   `json:"instant"`
	SQL     string `json:"rawSql"`
}

// Variable is a template variable. Query is text, or an object with the text in its field query.
type Variable struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Source     *Source         `json:"datasource"`
	Query      json.RawMessage `json:"query"`
	Multi      bool            `json:"multi"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	// Current is what is chosen at first.
	Current struct {
		Value any `json:"value"`
	} `json:"current"`
}

// Text is the variable's query.
func (v Variable) Text() (string, error) {
	var text string
	if err := json.Unmarshal(v.Query, &text); err == nil {
		return text, nil
	}
	var object struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(v.Query, &object); err != nil {
		return "", fmt.Errorf("reading the query of the variable %s: %w", v.Name, err)
	}
	return object.Query, nil
}

// Annotation is a query whose answers mark times.
type Annotation struct {
	Name        string `json:"name"`
	BuiltIn     int    `json:"builtIn"`
	Source      Source `json:"datasource"`
	Expr        string `json:"expr"`
	TitleFormat string `json:"titleFormat"`
	TextFormat  string `json:"textFormat"`
}

// Read reads a dashboard.
func Read(file string) (*Dashboard, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the caller's file
	if err != nil {
		return nil, fmt.Errorf("reading a dashboard: %w", err)
	}
	return Parse(text)
}

// Parse reads a dashboard's JSON.
func Parse(text []byte) (*Dashboard, error) {
	d := &Dashboard{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("reading a dashboard: %w", err)
	}
	return d, nil
}

// All returns the panels in their order, rows included, and those that stand in a collapsed row.
func (d *Dashboard) All() []Panel {
	var all []Panel
	for _, p := range d.Panels {
		all = append(all, p)
		all = append(all, p.Panels...)
	}
	return all
}

// Language is what a query is written in.
type Language string

// The languages. LabelValues is label_values(metric, label) of a variable.
const (
	PromQL      Language = "PromQL"
	SQL         Language = "SQL"
	LabelValues Language = "label_values"
)

// Query is one query of a dashboard, as it is written there.
type Query struct {
	Language
	// Where says which panel, variable or annotation it belongs to, for a message.
	Where string
	Text  string
	// Instant: one time is asked for instead of a range.
	Instant bool
	// Legends name its results, with labels in {{…}}.
	Legends []string
	Panel   *Panel
}

// Queries returns every query of a dashboard, those of variables and annotations included.
func (d *Dashboard) Queries() ([]Query, error) {
	var all []Query
	for _, p := range d.All() {
		for _, t := range p.Targets {
			q := Query{
				Where: fmt.Sprintf("panel %q, query %s", p.Title, t.RefID), Text: t.Expr, Language: PromQL,
				Instant: t.Instant, Legends: []string{t.Legend}, Panel: &p,
			}
			if t.SQL != "" {
				q.Language, q.Text = SQL, t.SQL
			}
			all = append(all, q)
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		text, err := v.Text()
		if err != nil {
			return nil, err
		}
		q := Query{Where: "variable " + v.Name, Text: text, Language: LabelValues}
		if v.Source != nil && v.Source.Type != prometheusType {
			q.Language = SQL
		}
		all = append(all, q)
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			all = append(all, Query{
				Where: fmt.Sprintf("annotation %q", a.Name), Text: a.Expr, Language: PromQL, Legends: []string{a.TitleFormat, a.TextFormat},
			})
		}
	}
	for _, q := range all {
		if strings.TrimSpace(q.Text) == "" {
			return nil, fmt.Errorf("%s is empty", q.Where)
		}
	}
	return all, nil
}
