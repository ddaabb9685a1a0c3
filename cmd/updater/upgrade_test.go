package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // restores a dump
	_ "modernc.org/sqlite"

	updater "ganeticache/cmd/updater"
	"ganeticache/db/dbtest"
)

// TestUpgrade: a database of an older release keeps its rows, their ids, the grants, the history and every cursor, and the
// first refreshes of a cluster that did not change write nothing into the history.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "cache.db")
		testUpgrade(t, "sqlite:"+file, upgraded{t, "sqlite", "file:" + file + "?_pragma=busy_timeout(5000)"})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		address := dbtest.PostgresURL(t)
		testUpgrade(t, address, upgraded{t, "postgres", address})
	})
}

func testUpgrade(t *testing.T, database string, u upgraded) {
	t.Helper()
	u.restore()
	was := u.rows()
	if n := strings.Count(u.everything(), canaryOld); n < 6 {
		t.Fatalf("the older release stored the secret %d times: the test tries nothing", n)
	}
	text, err := os.ReadFile(filepath.Join(upgradeFolder, "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	config := newCanned(t, answers).config(t, database)
	run := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := updater.Execute(t.Context(), append(args, "--config", config), nil, &out, &out); code != 0 {
			t.Fatalf("updater %q: exit code %d\n%s", args, code, out.String())
		}
		return out.String()
	}
	run("schema", "apply")
	if diff := cmp.Diff(was, u.rows()); diff != "" {
		t.Errorf("after the migrations (-was +is):\n%s", diff)
	}
	for range 2 {
		run("--once", "--cluster", "prod")
	}
	if diff := cmp.Diff(was, u.rows()); diff != "" {
		t.Errorf("after refreshes of a cluster that did not change (-was +is):\n%s", diff)
	}
	if strings.Contains(u.everything(), canaryOld) {
		t.Errorf("what the older release stored in the clear is still in the database: %.2000s", u.everything())
	}
	// A reader who stopped at the tenth entry gets the eleventh and those that follow, as before.
	page := run("changes", "--after", "10", "--json")
	for id := range 14 {
		if got, want := strings.Contains(page, fmt.Sprintf("\"id\": %d,", id+1)), id+1 > 10; got != want {
			t.Errorf("the changes after 10 have entry %d: %t, want %t\n%s", id+1, got, want, page)
		}
	}
}

// upgraded is a database of an older release.
type upgraded struct {
	t              *testing.T
	driver, source string
}

func (u upgraded) open() *sqlx.DB {
	u.t.Helper()
	conn, err := sqlx.Connect(u.driver, u.source)
	if err != nil {
		u.t.Fatal(err)
	}
	return conn
}

// restore makes the database from its dump.
func (u upgraded) restore() {
	u.t.Helper()
	dump, err := os.ReadFile(filepath.Join(upgradeFolder, u.driver+".sql"))
	if err != nil {
		u.t.Fatal(err)
	}
	conn := u.open()
	defer conn.Close() // the dump's settings end with the connection
	conn.SetMaxOpenConns(1)
	if _, err := conn.Exec(string(dump)); err != nil {
		u.t.Fatal(err)
	}
}

// kept are the columns that no release may change in a row that it did not see change: what an object is, and what people
// and programs hold on to.
func kept() map[string]string {
	const object = "id, cluster_id, uuid, name, deleted_at IS NULL AS lives"
	return map[string]string{
		"clusters":         "id, name, uuid, ganeti_name, software_version, master_node, enabled",
		"virtual_machines": object + ", status, admin_state, primary_node, os, disk_template, vcpus, memory_mib, disk_mib, network_port, serial_no, ctime, mtime",
		"nodes":            object + ", role, offline, group_uuid, primary_ip, memory_total_mib, disk_total_mib, cpus, serial_no, ctime, mtime",
		"node_groups":      object + ", alloc_policy, node_count, serial_no, ctime, mtime",
		"networks":         object + ", network, free_count, reserved_count, serial_no, ctime, mtime",
		"jobs":             object + ", status, received_at, started_at, ended_at",
		"changes":          "id, cluster_id, kind, object_id, uuid, name, op, observed_at",
		"permissions":      "id, subject, permission, cluster_id, vm_id, source",
		"quarantine":       "cluster_id, kind, uuid, name",
	}
}

// everything is all rows of all tables, one a line.
func (u upgraded) everything() string {
	u.t.Helper()
	conn := u.open()
	defer conn.Close()
	query := "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	if u.driver == "sqlite" {
		query = "SELECT name FROM sqlite_master WHERE type = 'table'"
	}
	var tables []string
	if err := conn.Select(&tables, query); err != nil {
		u.t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range tables {
		for _, row := range u.read(conn, "SELECT * FROM "+table) {
			all.WriteString(table + " " + row + "\n")
		}
	}
	return all.String()
}

// read returns the rows of a query as text; bytes are text, too.
func (u upgraded) read(conn *sqlx.DB, query string) (rows []string) {
	u.t.Helper()
	found, err := conn.Queryx(query) //nolint:sqlclosecheck // closed below
	if err != nil {
		u.t.Fatal(err)
	}
	for found.Next() {
		values, err := found.SliceScan()
		if err != nil {
			u.t.Fatal(err)
		}
		for i, value := range values {
			if bytes, ok := value.([]byte); ok {
				values[i] = string(bytes)
			}
		}
		rows = append(rows, strings.TrimSpace(fmt.Sprintln(values...)))
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		u.t.Fatal(err)
	}
	return rows
}

// rows reads what has to be kept: for each table its rows as text, in order.
func (u upgraded) rows() map[string][]string {
	u.t.Helper()
	conn := u.open()
	defer conn.Close()
	all := map[string][]string{}
	for table, columns := range kept() {
		all[table] = u.read(conn, "SELECT "+columns+" FROM "+table)
		slices.Sort(all[table])
	}
	return all
}
