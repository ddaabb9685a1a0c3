package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	updater "ganeticache/cmd/updater"
	"ganeticache/db/dbtest"
)

// A daemon without the right to migrate says who must, and how.
func TestRun_WithoutTheRightToMigrateNamesTheOwner(t *testing.T) {
	t.Parallel()
	address, role := dbtest.PostgresURL(t), fmt.Sprintf("may_nothing_%d", os.Getpid())
	admin, err := sqlx.ConnectContext(t.Context(), "postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	admin.MustExec("CREATE ROLE " + role + " LOGIN PASSWORD 'x'; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO " + role)
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", role)
	q.Set("password", "x")
	u.User, u.RawQuery = nil, q.Encode()
	var out bytes.Buffer
	code := updater.Execute(t.Context(), []string{"--once", "--rapi", "https://127.0.0.1:1", "--config", os.DevNull}, []string{"UPDATER_DATABASE_URL=" + u.String()}, &out, &out)
	if text := out.String(); code != 1 || !strings.Contains(text, "permission denied") ||
		!strings.Contains(text, "updater schema apply --database 'postgres://OWNER@HOST") {
		t.Errorf("exit code %d:\n%s", code, text)
	}
}
