package trial

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is what the trials need of the updater's configuration file.
type Config struct {
	DatabaseURL   string            `yaml:"database_url"`
	Schedule      string            `yaml:"schedule"`
	Schedules     map[string]string `yaml:"schedules"`
	Listen        string            `yaml:"listen"`
	Lease         string            `yaml:"lease,omitempty"`
	RefreshBudget string            `yaml:"refresh_budget"`
	Concurrency   int               `yaml:"concurrency"`
	Timeouts      map[string]string `yaml:"timeouts"`
	MaxBody       string            `yaml:"max_body"`
	SecretKeyFile string            `yaml:"secret_key_file"`
	Log           map[string]string `yaml:"log"`
	Clusters      []clusterConfig   `yaml:"clusters"`
}

type clusterConfig struct {
	Name         string            `yaml:"name"`
	RAPI         string            `yaml:"rapi"`
	Username     string            `yaml:"username"`
	PasswordFile string            `yaml:"password_file"`
	TLS          map[string]string `yaml:"tls"`
}

// NewConfig makes the configuration of a daemon of a trial: every kind on the same interval, short time-outs, the default
// guard. It writes the files with the secrets into folder.
func NewConfig(folder, databaseURL string, every time.Duration, world *World) (Config, error) {
	secrets := map[string]string{"password": Password, "secret.key": "trial-secret-key-0123456789abcdef0123456789"}
	for name, text := range secrets {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text+"\n"), 0o600); err != nil {
			return Config{}, fmt.Errorf("writing %s: %w", name, err)
		}
	}
	schedule := "@every " + every.String()
	c := Config{
		DatabaseURL: databaseURL, Schedule: schedule, Schedules: map[string]string{"group": schedule, "network": schedule},
		// The budget would stretch so short a schedule on a busy machine.
		RefreshBudget: "off",
		Concurrency:   8,
		Timeouts:      map[string]string{"connect": "1s", "tls_handshake": "2s", "first_byte": "3s", "total": "5s"},
		MaxBody:       "16MiB",
		SecretKeyFile: filepath.Join(folder, "secret.key"),
		Log:           map[string]string{"level": "info", "format": "json"},
	}
	for _, cluster := range world.Clusters {
		c.Clusters = append(c.Clusters, clusterConfig{
			Name: cluster.Name, RAPI: cluster.URL(), Username: User, PasswordFile: filepath.Join(folder, "password"),
			TLS: map[string]string{"pin_sha256": cluster.Server.Pin()},
		})
	}
	return c, nil
}

func (c Config) write(path string) error {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
