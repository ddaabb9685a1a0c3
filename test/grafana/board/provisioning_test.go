package board_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"ganeticache/test/grafana/board"
)

// decode reads YAML; a field that v has not fails.
func decode(t *testing.T, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// sources is Grafana's file of data sources, as far as ours goes.
type sources struct {
	APIVersion  int `yaml:"apiVersion"`
	Datasources []struct {
		Name, UID, Type, Access, URL, User string
		IsDefault                          bool              `yaml:"isDefault"`
		JSONData                           map[string]any    `yaml:"jsonData"`
		SecureJSONData                     map[string]string `yaml:"secureJsonData"`
	}
}

// providers is Grafana's file of folders with dashboards.
type providers struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name, Type, Folder    string
		AllowUIUpdates        bool `yaml:"allowUiUpdates"`
		DisableDeletion       bool `yaml:"disableDeletion"`
		UpdateIntervalSeconds int  `yaml:"updateIntervalSeconds"`
		Options               map[string]string
	}
}

// composeFile is what matters of deploy/compose/compose.yaml; test/manifests holds it against the specification.
type composeFile struct {
	Services map[string]struct {
		Volumes     []string          `yaml:"volumes"`
		Secrets     []string          `yaml:"secrets"`
		Environment map[string]string `yaml:"environment"`
	} `yaml:"services"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// What the dashboard's variables choose among is there, and leads where the Compose file has the servers.
func TestProvisioning_DataSources(t *testing.T) {
	t.Parallel()
	var s sources
	decode(t, deploy+"provisioning/datasources/ganeti-cache.yaml", &s)
	d, err := board.Read(deploy + "dashboards/ganeti-cache.json")
	if err != nil {
		t.Fatal(err)
	}
	services := readCompose(t).Services
	for _, v := range d.Templating.List {
		if v.Type != "datasource" {
			continue
		}
		text, err := v.Text()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, source := range s.Datasources {
			if source.Type == text && source.UID == v.Current.Value {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d data sources are of type %s and have the uid %v", found, text, v.Current.Value)
		}
	}
	urls := []string{"http://prometheus:9090", "postgres:5432"}
	for _, source := range s.Datasources {
		if !slices.Contains(urls, source.URL) {
			t.Errorf("%s is at %s, want one of %v", source.Name, source.URL, urls)
		}
		if source.Type != "grafana-postgresql-datasource" {
			continue
		}
		if source.User != "ganeti_reader" || source.JSONData["database"] != services["postgres"].Environment["POSTGRES_DB"] {
			t.Errorf("%s reads %v as %s", source.Name, source.JSONData["database"], source.User)
		}
		if source.SecureJSONData["password"] != "$__file{/run/secrets/reader_password}" || !slices.Contains(services["grafana"].Secrets, "reader_password") ||
			services["reader"].Environment["READER_PASSWORD_FILE"] != "/run/secrets/reader_password" {
			t.Errorf("the password of %s is not the secret that the service reader sets", source.Name)
		}
	}
}

func TestProvisioning_Dashboards(t *testing.T) {
	t.Parallel()
	var p providers
	decode(t, deploy+"provisioning/dashboards/ganeti-cache.yaml", &p)
	volumes := readCompose(t).Services["grafana"].Volumes
	if len(p.Providers) != 1 || !slices.Contains(volumes, "../grafana/dashboards:"+p.Providers[0].Options["path"]+":ro") ||
		!slices.Contains(volumes, "../grafana/provisioning:/etc/grafana/provisioning:ro") {
		t.Errorf("the dashboards are looked for in %+v, and mounted are %v", p.Providers, volumes)
	}
}
