package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	updater "ganeticache/cmd/updater"
)

// TestDatabaseURL_PasswordIsNowhere: however the address of the database is misspelt, and wherever it is given, no output
// holds the password in it.
func TestDatabaseURL_PasswordIsNowhere(t *testing.T) {
	t.Parallel()
	const password = "kaninchen7f3a"
	for _, template := range []string{
		"postgres:/u:PW@127.0.0.1:1/db", "postgres:u:PW@127.0.0.1", "postgres:///u:PW@127.0.0.1/db", "POSTGRES://u:PW@127.0.0.1:1/db",
		"postgres://u@127.0.0.1:1/db?passwd=PW", "postgres://u@127.0.0.1:1/db?PASSWORD=PW", "postgres://u@127.0.0.1:1/db?password=PW",
		"postgres://u:PW@127.0.0.1:1/db", "postgres://u:1/PW@127.0.0.1/db", "postgres://u:PW%40127.0.0.1/db", "postgres://127.0.0.1:1/db&password=PW",
		"host=127.0.0.1 user=u password=PW", "postgres://u@127.0.0.1:1/db?sslmode=x%20password=PW",
		"postgres://u@127.0.0.1:1/db?connect_timeout=?password=PW", "sqlite:postgres://u:PW@127.0.0.1/db",
	} {
		url := strings.ReplaceAll(template, "PW", password)
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, fmt.Appendf(nil, "database_url: %q\nlisten: ''\n", url), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			for _, args := range [][]string{
				{"check"}, {"check", "--json"}, {"check", "--quick"}, {"status"}, {"--once"}, {"clusters", "list"}, {"schema", "apply"}, {"run"},
			} {
				updater.Execute(t.Context(), append(args, "--config", file), nil, &out, &out)
			}
			updater.Execute(t.Context(), []string{"check"}, []string{"UPDATER_CONFIG=/dev/null", "UPDATER_DATABASE_URL=" + url}, &out, &out)
			for _, args := range [][]string{
				{"check", "--database", url},
				{"check", url},
				{url},
				{"--once", url},
				{"--once=" + url},
				{"--databse=" + url},
				{"--log-level", url},
				{"db", "copy", "--from", url, "--to", "sqlite:" + file + ".db"},
				{"db", "copy", "--from", "sqlite:" + file, "--to", url},
				{"vms", "--limit", url},
				{"trust", url},
			} {
				updater.Execute(t.Context(), append([]string{"--config", "/dev/null"}, args...), nil, &out, &out)
			}
			for line := range strings.SplitSeq(out.String(), "\n") {
				if strings.Contains(line, password) {
					t.Errorf("the password is in: %s", line)
				}
			}
			if !strings.Contains(out.String(), "database") {
				t.Error("nothing was said")
			}
		})
	}
}
