package config_test

import (
	"os"
	"strings"
	"testing"

	"ganeticache/config"
)

func TestConfig_Warnings(t *testing.T) {
	t.Parallel()
	open := write(t, "password", "x")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	const good = "clusters:\n  - name: prod\n    rapi: https://rapi\n"
	tests := []struct {
		name string
		file string
		mode os.FileMode
		o    config.Options
		want []string
	}{
		{"nothing to say", good, 0o600, config.Options{}, nil},
		{"a file without secrets may be open", good, 0o644, config.Options{}, nil},
		{"no clusters", "concurrency: 8\n", 0o600, config.Options{}, []string{
			"clusters: none is configured, so nothing will be refreshed",
		}},
		{"all disabled", good + "    enabled: false\n", 0o600, config.Options{}, []string{
			"clusters: all are disabled, so nothing will be refreshed",
		}},
		{"insecure", good + "    tls: {insecure_skip_verify: true}\n", 0o600, config.Options{}, []string{
			"INSECURE: cluster prod is asked without checking its certificate (tls.insecure_skip_verify); whoever is on the way " +
				"can read the password and forge the answers; use tls.pin_sha256, which `updater trust` prints",
		}},
		{"same address", good + "  - {name: copy, rapi: 'https://RAPI:5080/'}\n", 0o600, config.Options{}, []string{
			"clusters prod and copy have the same address; a Ganeti cluster is cached under one name, and refused under another one",
		}},
		{"same address, spelled otherwise", good + "  - {name: copy, rapi: 'https://rapi.:5080/', allow_duplicate: true}\n", 0o600, config.Options{}, []string{
			"clusters prod and copy have the same address; every VM of it will be cached twice",
		}},
		{"same address among several", good + "  - {name: copy, rapi: ['https://other', 'https://RAPI:5080/', 'https://third']}\n", 0o600, config.Options{}, []string{
			"clusters prod and copy have the same address; a Ganeti cluster is cached under one name, and refused under another one",
		}},
		{"hasty", "schedule: '@every 2s'\n" + good, 0o600, config.Options{}, []string{
			`schedule: "@every 2s" asks RAPI more often than every 5s, and it serves 20 clients at most`,
		}},
		{"slower than max_age", "schedule: '@every 10m'\n" + good, 0o600, config.Options{}, []string{
			`schedule: cluster prod is refreshed every 10m0s ("@every 10m"), but max_age lets readers accept 10m0s; ` +
				"make the schedule shorter or max_age longer, or reading will ask Ganeti again and again",
		}},
		{"as slow as max_age allows", "schedule: '@every 10m'\nmax_age: 11m\n" + good, 0o600, config.Options{}, nil},
		{"timeouts", good + "    timeouts: {tls_handshake: 10s}\n", 0o600, config.Options{}, []string{
			"cluster prod: timeouts.tls_handshake: 10s is too short for a busy RAPI, which keeps a new connection waiting for 10 s; set more than 10s",
		}},
		{"retention", "retention: 1h\n" + good, 0o600, config.Options{}, []string{
			"retention: after 1h0m0s a removed VM loses its id and its permissions for good; a day or more leaves time to notice a mistake",
		}},
		{"open files", "secret_key_file: " + open + "\n" + good + "    username: u\n    password_file: " + open + "\n", 0o600, config.Options{}, []string{
			"secret_key_file: FILE can be read by every user of this machine (mode 0644); run: chmod o-rwx FILE",
			"password_file of cluster prod: FILE can be read by every user of this machine (mode 0644); run: chmod o-rwx FILE",
		}},
		{"password in an open file", "database_url: postgres://u:hunter2@h/d\n" + good, 0o644, config.Options{}, []string{
			"database_url with a password: FILE can be read by every user of this machine (mode 0644); run: chmod o-rwx FILE",
		}},
		{"password in the arguments", good, 0o600, config.Options{Flags: map[string]string{"database": "postgres://u@h/d?password=hunter2"}}, []string{
			"--database: the address holds a password, and every user of this machine can read a program's arguments; " +
				"set UPDATER_DATABASE_URL instead, or leave the password to ~/.pgpass or PGPASSWORD",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, tc.file)
			o.Flags = tc.o.Flags
			if err := os.Chmod(o.File, tc.mode); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range load(t, o).Warnings() {
				got = append(got, strings.NewReplacer(o.File, "FILE", open, "FILE").Replace(w))
			}
			diff(t, tc.want, got)
		})
	}
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, url, want string }{
		{"sqlite", "sqlite:/var/lib/cache.db", "sqlite:/var/lib/cache.db"},
		{"odd", "postgres://u:hun%ter2@h/d", "[unreadable address]"},
		{"sqlite with an odd name", "sqlite:100%.db", "sqlite:100%.db"},
		{"no password", "postgres://u@h/d?sslmode=disable", "postgres://u@h/d?sslmode=disable"},
		{"password", "postgres://u:hunter2@h/d", "postgres://u:xxxxx@h/d"},
		{"parameter", "postgresql://u@h/d?password=hunter2", "postgresql://u@h/d?password=xxxxx"},
		{"key's parameter", "postgres://u@h/d?sslpassword=hunter2", "postgres://u@h/d?sslpassword=xxxxx"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			diff(t, tc.want, config.RedactURL(config.DatabaseURL(tc.url)))
		})
	}
}
