package main_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	updater "ganeticache/cmd/updater"
)

// TestCheckQuick_Silent: neither a database nor a daemon that takes connections and never answers keeps a container's
// health check waiting. The one connection is enough for both: nobody reads it.
func TestCheckQuick_Silent(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	silent, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for _, tt := range []struct{ name, database, listen, want string }{
		{"database", "postgres://nobody@" + silent.Addr().String() + "/cache?sslmode=disable", "", "database: no answer within 900ms"},
		{"daemon", "sqlite:" + t.TempDir() + "/absent.db", silent.Addr().String(), "deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr strings.Builder
			// Longer than the check gives itself, and so short that a check without a limit fails.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			env := []string{"UPDATER_CONFIG=/dev/null", "UPDATER_DATABASE_URL=" + tt.database, "UPDATER_LISTEN=" + tt.listen}
			code := updater.Execute(ctx, []string{"check", "--quick"}, env, &stdout, &stderr)
			if ctx.Err() != nil {
				t.Error("it was still waiting after 5 s")
			}
			if code != 1 || !strings.Contains(stdout.String(), tt.want) {
				t.Errorf("exit code %d, want 1 and %q in:\n%s%s", code, tt.want, stdout.String(), stderr.String())
			}
		})
	}
}
