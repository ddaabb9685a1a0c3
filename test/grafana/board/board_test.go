package board_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/test/grafana/board"
)

const deploy = "../../../deploy/grafana/"

// documented lists the metrics of docs/metrics.md, which a test of cmd/updater holds against a running updater.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		names = append(names, row[1])
	}
	if len(names) < 20 {
		t.Fatalf("only %d metrics are documented", len(names))
	}
	return names
}

func TestDashboards_AreWellBuilt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(deploy + "dashboards/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no dashboard: %v", err)
	}
	uids := map[string]bool{}
	for _, file := range files {
		d, err := board.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range d.Problems(documented(t)) {
			t.Errorf("%s: %s", filepath.Base(file), problem)
		}
		if uids[d.UID] {
			t.Errorf("two dashboards have the uid %s", d.UID)
		}
		uids[d.UID] = true
	}
}

// sound is a dashboard without a fault.
const sound = `{"uid": "u", "title": "T", "description": "D", "panels": [
	{"id": 1, "type": "row", "title": "Row", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}},
	{"id": 2, "type": "stat", "title": "One", "description": "What panel one is about.", "gridPos": {"x": 0, "y": 1, "w": 12, "h": 4},
		"datasource": {"type": "prometheus", "uid": "${prom}"}, "fieldConfig": {"defaults": {"unit": "s", "thresholds": {}}},
		"targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "${prom}"}, "expr": "sum(go_x_sum{cluster=~\"$cluster\"})"}]},
	{"id": 3, "type": "table", "title": "Two", "description": "What panel two is about.", "gridPos": {"x": 12, "y": 1, "w": 12, "h": 4},
		"datasource": {"type": "grafana-postgresql-datasource", "uid": "${sql}"}, "fieldConfig": {"defaults": {"unit": "s", "thresholds": {}}},
		"targets": [{"refId": "A", "datasource": {"type": "grafana-postgresql-datasource", "uid": "${sql}"}, "rawSql": "SELECT 1"}]}
	], "templating": {"list": [
		{"type": "datasource", "name": "prom", "query": "prometheus"},
		{"type": "datasource", "name": "sql", "query": "grafana-postgresql-datasource"},
		{"type": "query", "name": "cluster", "datasource": {"type": "prometheus", "uid": "${prom}"}, "includeAll": true, "allValue": ".*",
			"query": {"query": "label_values(go_x, cluster)"}}
	]}, "annotations": {"list": [
		{"name": "Starts", "datasource": {"type": "prometheus", "uid": "${prom}"}, "expr": "process_start_time_seconds"}
	]}}`

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"id taken", `"id": 3`, `"id": 2`, "the id 2"},
		{"title taken", `"title": "Two"`, `"title": "One"`, `two panels are called "One"`},
		{"overlap", `"x": 12, "y": 1`, `"x": 11, "y": 4`, `"Two" covers "One"`},
		{"beyond the grid", `"x": 12`, `"x": 13`, "does not fit"},
		{"no description", "What panel one is about.", "", "description says nothing"},
		{"no unit", `"unit": "s"`, `"unit": ""`, "no unit"},
		{"fixed data source", `"uid": "${sql}"}, "rawSql"`, `"uid": "P123"}, "rawSql"`, "want a variable"},
		{"variable of another type", `"name": "sql", "query": "grafana-postgresql-datasource"`, `"name": "sql", "query": "mysql"`, "want a variable"},
		{"language", `"rawSql"`, `"expr"`, "not in the language"},
		{"nothing asked", `"targets": [`, `"no": [`, "asks nothing"},
		{"unknown metric", "go_x_sum", "go_y_sum", "no metric go_y_sum"},
		{"unknown metric in a variable", "label_values(go_x,", "label_values(go_z,", "no metric go_z"},
		{"no metric", "sum(go_x_sum{cluster=~\\\"$cluster\\\"})", "vector(1)", "names no metric"},
		{"all values", `"allValue": ".*"`, `"allValue": ""`, "All has no value"},
		{"annotation's data source", `"name": "Starts", "datasource": {"type": "prometheus", "uid": "${prom}"}`, `"name": "Starts"`, `annotation "Starts"`},
		{"empty annotation", "process_start_time_seconds", "", "is empty"},
		{"no uid", `"uid": "u"`, `"uid": ""`, "uid, title or description"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(sound, tt.old, tt.new, 1)
			d, err := board.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(d.Problems([]string{"go_x"}), "\n")
			if tt.want == "" && problems != "" || !strings.Contains(problems, tt.want) {
				t.Errorf("problems %q, want %q", problems, tt.want)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	d, err := board.Parse([]byte(sound))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	frame := board.Frame{From: at.Add(-time.Hour), To: at, Step: 20 * time.Second, Scrape: 15 * time.Second}
	two := []string{"a.b", "c"}
	for _, tt := range []struct {
		name, text string
		language   board.Language
		chosen     []string
		want       string
	}{
		{"all", `x{c=~"$cluster"}`, board.PromQL, nil, `x{c=~".*"}`},
		{"one", `x{c=~"$cluster"}`, board.PromQL, two[:1], `x{c=~"a\\.b"}`},
		{"two", `x{c=~"${cluster}|"}`, board.PromQL, two, `x{c=~"(a\\.b|c)|"}`},
		{"intervals", `rate(x[$__rate_interval]) + sum_over_time(x[$__range:$__interval])`, board.PromQL, nil, `rate(x[60s]) + sum_over_time(x[3600s:20s])`},
		{"all in SQL", `c ~ '^${cluster:regex}$'`, board.SQL, nil, `c ~ '^.*$'`},
		{"two in SQL", `c ~ '^${cluster:regex}$'`, board.SQL, two, `c ~ '^(a\.b|c)$'`},
		{"time", `$__timeFilter(c.at)`, board.SQL, nil, `c.at BETWEEN '2026-01-02T02:04:05Z' AND '2026-01-02T03:04:05Z'`},
		{"unknown variable", `x{c=~"$clustre"}`, board.PromQL, nil, ""},
		{"unknown macro", `$__unixEpochFilter(at)`, board.SQL, nil, ""},
		{"unescaped in SQL", `c = '$cluster'`, board.SQL, two, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := d.Expand(board.Query{Language: tt.language, Text: tt.text}, board.Selection{"cluster": tt.chosen}, frame)
			if (err != nil) != (tt.want == "") || got != tt.want {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestUnmatched(t *testing.T) {
	t.Parallel()
	d, err := board.Parse([]byte(`{"panels": [{"fieldConfig": {"overrides": [
		{"matcher": {"id": "byName", "options": "alert"}}, {"matcher": {"id": "byName", "options": "alertname"}},
		{"matcher": {"id": "byRegexp", "options": "/^sev/"}}, {"matcher": {"id": "byRegexp", "options": "/^Ti/"}}]},
		"transformations": [{"id": "organize", "options": {"excludeByName": {"Time": true, "Valeu": true}, "renameByName": {"alertname": "alert"}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := d.Panels[0].Unmatched([]string{"Time", "Value", "alertname", "severity"})
	if diff := cmp.Diff([]string{"Valeu", "alertname", "/^Ti/"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLegend(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"cluster": "prod", "kind": "vm"}
	name, missing := board.Legend("{{cluster}} {{ kind }} {{op}}", labels)
	if diff := cmp.Diff([]any{"prod vm ", []string{"op"}}, []any{name, missing}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if name, _ := board.Legend("__auto", labels); name != `{cluster="prod", kind="vm"}` {
		t.Errorf("named %s", name)
	}
}
