package manifests_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const dashboards = "../../deploy/grafana/dashboards/*.json"

// strictly decodes a dashboard by Grafana's own types, options of its panels and queries to Prometheus included: an unknown
// field, a wrong type or value fails.
func strictly(text []byte) error {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	// Without a fault it returns a list of them that is empty, which is not nil.
	var faults cog.BuildErrors
	if err := d.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &faults) || len(faults) > 0) {
		return err
	}
	return d.Validate()
}

func TestGrafana_Dashboards(t *testing.T) {
	files, err := filepath.Glob(dashboards)
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no dashboard: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := strictly(text); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		checkSQL(t, text)
	}
}

// checkSQL reads the queries to PostgreSQL, for which the types have no place, as strictly.
func checkSQL(t *testing.T, text []byte) {
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			if !strings.Contains(string(target), `"grafana-postgresql-datasource"`) {
				continue
			}
			found++
			var q struct {
				RefID      string         `json:"refId"`
				Datasource map[string]any `json:"datasource"`
				EditorMode string         `json:"editorMode"`
				Format     string         `json:"format"`
				RawQuery   bool           `json:"rawQuery"`
				RawSQL     string         `json:"rawSql"`
			}
			strict := json.NewDecoder(strings.NewReader(string(target)))
			strict.DisallowUnknownFields()
			if err := strict.Decode(&q); err != nil {
				t.Errorf("panel %q: %v", p.Title, err)
			}
			if q.RefID == "" || q.EditorMode != "code" || q.Format != "table" && q.Format != "time_series" || !q.RawQuery || q.RawSQL == "" {
				t.Errorf("panel %q: Grafana does not run this: %s", p.Title, target)
			}
		}
	}
	if found == 0 {
		t.Error("no query to PostgreSQL was found")
	}
}

func TestGrafana_MistakesFail(t *testing.T) {
	files, err := filepath.Glob(dashboards)
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no dashboard: %v", err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, old, new string }{
		{"a field", `"schemaVersion"`, `"schemaVersoin"`},
		{"a panel's field", `"fieldConfig"`, `"fieldsConfig"`},
		{"a panel's option", `"graphMode"`, `"grafMode"`},
		{"a query's field", `"legendFormat"`, `"legend"`},
		{"a missing field", `"rowHeight"`, `"rowHeigth"`},
		{"a type", `"editable": true`, `"editable": "yes"`},
		{"a custom field", `"thresholdsStyle"`, `"thresholdStyle"`},
	} {
		wrong := strings.Replace(string(text), c.old, c.new, 1)
		if wrong == string(text) {
			t.Errorf("%s: the dashboard has no %s", c.what, c.old)
		}
		if strictly([]byte(wrong)) == nil {
			t.Errorf("%s that is wrong is taken", c.what)
		}
	}
}
