package manifests_test

import (
	"os"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const compose = "../../deploy/compose/"

// TestCompose_Holds loads the file as docker compose does, by the specification's schema and its rules.
func TestCompose_Holds(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{compose + "compose.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if names := project.ServiceNames(); !slices.Equal(names, []string{"grafana", "postgres", "prometheus", "reader", "updater"}) {
		t.Errorf("services %v", names)
	}
	for _, s := range project.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("service %s: %v", s.Name, err)
				}
			}
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("service %s is reached from outside by port %s", s.Name, p.Published)
			}
		}
	}
	updater := project.Services["updater"]
	if !updater.ReadOnly || !slices.Equal(updater.CapDrop, []string{"ALL"}) || updater.User != "" {
		t.Errorf("the updater: read_only %t, cap_drop %v, user %q", updater.ReadOnly, updater.CapDrop, updater.User)
	}
}

func TestCompose_Config(t *testing.T) {
	understood(t, compose+"config.yaml")
}
